// The lookup in this process: concurrent lookups, the code and its digest, codes that look alike.

import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { type Engine, ModuleCache } from "@wasm/module-cache";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { native } from "../src/engine/runtime.ts";
import {
  bothWays,
  bytes,
  EMPTY_MODULE,
  entriesIn,
  inDirectory,
  provenanceAndText,
  TextEngine,
  type TextModule,
} from "./_tools.ts";

test("one hundred concurrent lookups of one code compile once", async () => {
  const engine = new TextEngine();
  const slow: Engine<TextModule> = {
    id: engine.id,
    compile: async (code) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return engine.compile(code);
    },
    serialize: (module) => engine.serialize(module),
    deserialize: (artifact) => engine.deserialize(artifact),
  };
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: slow, directory });
    const all = await Promise.all(Array.from({ length: 100 }, () => cache.resolve(bytes("one"))));
    assertStrictEquals(engine.compiles, 1);
    assertStrictEquals(all.filter(({ from }) => from === "compiled").length, 1);
    assertStrictEquals(new Set(all.map(({ module }) => module)).size, 1);
    assertEquals([cache.stats().compiled, cache.stats().memoryHits, cache.stats().writes], [1, 99, 1]);
  });
});

test("concurrent lookups of different codes do not wait for each other", async () => {
  const waiting = new Map<string, () => void>();
  const engine: Engine<string> = {
    id: "gate",
    compile: (code) =>
      new Promise((resolve) => {
        const name = new TextDecoder().decode(code);
        waiting.set(name, () => resolve(name));
      }),
    serialize: () => undefined,
    deserialize: () => undefined,
  };
  const cache = new ModuleCache({ engine });
  const [a, b] = [cache.compile(bytes("a")), cache.compile(bytes("b"))];
  while (waiting.size < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  waiting.get("b")!();
  assertStrictEquals(await b, "b");
  waiting.get("a")!();
  assertStrictEquals(await a, "a");
});

bothWays(
  "a compile error reaches the caller untouched, is not cached and leaves no entry",
  (resolve) =>
    inDirectory(async (directory) => {
      const engine = new TextEngine();
      const cache = new ModuleCache({ engine, directory });
      await assertRejects(() => resolve(cache, bytes("broken")), SyntaxError, "broken text");
      await assertRejects(() => resolve(cache, bytes("broken")), SyntaxError, "broken text");
      assertStrictEquals(engine.compiles, 2);
      assertEquals(entriesIn(directory), []);
      assertEquals([cache.stats().failed, cache.stats().memoryEntries], [2, 0]);
    }),
);

test("concurrent lookups share a failure, and the next one tries again", async () => {
  let fails = true;
  let compiles = 0;
  const engine: Engine<string> = {
    id: "flaky",
    compile: async () => {
      compiles++;
      await Promise.resolve();
      if (fails) throw new RangeError("not now");
      return "made";
    },
    serialize: () => undefined,
    deserialize: () => undefined,
  };
  const cache = new ModuleCache({ engine });
  const ends = await Promise.allSettled([cache.compile(bytes("a")), cache.compile(bytes("a"))]);
  assertEquals(ends.map(({ status }) => status), ["rejected", "rejected"]);
  assertStrictEquals(compiles, 1);
  fails = false;
  assertStrictEquals(await cache.compile(bytes("a")), "made");
});

bothWays("the host's CompileError is the runtime's own", async (resolve) => {
  const cache = new ModuleCache();
  const native = await WebAssembly.compile(bytes("not wasm at all")).catch((error) => error);
  const error = await assertRejects(() => resolve(cache, bytes("not wasm at all")), WebAssembly.CompileError);
  assertStrictEquals(error.constructor, native.constructor);
});

bothWays("code changed after the call changes nothing that is cached", async (resolve) => {
  const cache = new ModuleCache({ engine: new TextEngine() });
  const code = bytes("first");
  const first = resolve(cache, code);
  code.set(bytes("other"));
  assertStrictEquals((await first).module.text, "first");
  assertEquals(await provenanceAndText(resolve(cache, bytes("first"))), ["memory", "first"]);
  assertEquals(await provenanceAndText(resolve(cache, code)), ["compiled", "other"]);
});

test("code changed while others have joined its lookup changes nothing for them", async () => {
  const cache = new ModuleCache({ engine: new TextEngine() });
  const code = bytes("first");
  const lookups = [cache.resolve(code), cache.resolve(code), cache.resolve(code)];
  code.set(bytes("other"));
  for (const { module } of await Promise.all(lookups)) assertStrictEquals(module.text, "first");
});

bothWays("any kind of buffer is the same code", async (resolve) => {
  const cache = new ModuleCache({ engine: new TextEngine() });
  const content = bytes("hello");
  const padded = bytes("..hello..").subarray(2, 7);
  const shared = new Uint8Array(new SharedArrayBuffer(5));
  shared.set(content);
  const resizable = new ArrayBuffer(5, { maxByteLength: 100 });
  new Uint8Array(resizable).set(content);
  const { key } = await resolve(cache, content);
  for (const code of [padded, shared, shared.buffer, resizable, new DataView(resizable), content.buffer]) {
    const resolved = await resolve(cache, code);
    assertEquals([resolved.from, resolved.key], ["memory", key]);
  }
  resizable.resize(7);
  assertStrictEquals((await resolve(cache, resizable)).from, "compiled");
});

bothWays("digest saves the hash, in every form, and is checked on a miss", async (resolve) => {
  const engine = new TextEngine();
  const cache = new ModuleCache({ engine });
  const code = bytes("hello");
  const digest = createHash("sha256").update(code).digest();
  const hex = digest.toString("hex");
  assertStrictEquals((await resolve(cache, code, { digest: hex })).from, "compiled");
  for (const form of [hex, hex.toUpperCase(), new Uint8Array(digest), new Uint8Array(digest).buffer]) {
    assertStrictEquals((await resolve(cache, code, { digest: form })).from, "memory");
  }
  await assertRejects(() => resolve(cache, code, { digest: "0".repeat(64) }), TypeError, hex);
  await assertRejects(() => resolve(cache, bytes("other"), { digest: "0".repeat(64) }), TypeError);
  assertStrictEquals((await resolve(cache, bytes("other"))).from, "compiled");
  assertStrictEquals(engine.compiles, 2);
});

bothWays("a digest in no known form is a TypeError", async (resolve) => {
  const cache = new ModuleCache();
  for (
    const digest of ["", "abc", "g".repeat(64), new Uint8Array(31), 7 as unknown as string, null as unknown as string]
  ) {
    await assertRejects(() => resolve(cache, EMPTY_MODULE, { digest }), TypeError);
  }
});

test("a wrong digest fails only its own caller, not those who joined", async () => {
  const cache = new ModuleCache({ engine: new TextEngine() });
  const [wrong, right, joinedWrong] = await Promise.allSettled([
    cache.resolve(bytes("hello"), { digest: "0".repeat(64) }),
    cache.resolve(bytes("hello")),
    cache.resolve(bytes("hello"), { digest: "1".repeat(64) }),
  ]);
  assertEquals([wrong.status, right.status, joinedWrong.status], ["rejected", "fulfilled", "rejected"]);
  assertInstanceOf((joinedWrong as PromiseRejectedResult).reason, TypeError);
});

bothWays("codes whose samples are the same are told apart", async (resolve) => {
  const cache = new ModuleCache({ engine: new TextEngine() });
  const codes = Array.from({ length: 20 }, (_, i) => {
    const code = new Uint8Array(50_000).fill(65);
    code[3] = 66 + i;
    return code;
  });
  for (const from of ["compiled", "memory"]) {
    for (const code of codes) {
      const resolved = await resolve(cache, code);
      assertStrictEquals(resolved.from, from);
      assertStrictEquals(resolved.module.text.charCodeAt(3), code[3]);
    }
  }
});

test("codes whose samples are the same share one compile each when they come at once", async () => {
  const engine = new TextEngine();
  const cache = new ModuleCache({ engine });
  const codes = Array.from({ length: 20 }, (_, i) => {
    const code = new Uint8Array(50_000).fill(65);
    code[3] = 66 + i;
    return code;
  });
  const all = await Promise.all([...codes, ...codes].map((code) => cache.resolve(code)));
  all.forEach(({ module }, i) => assertStrictEquals(module.text.charCodeAt(3), codes[i % 20]![3]));
  assertStrictEquals(engine.compiles, 20);
});

bothWays("a memory hit of the host engine compiles nothing, however alike the codes", async (resolve) => {
  // A custom section of zeroes, in which one byte that no sample looks at differs.
  const codes = Array.from({ length: 12 }, (_, i) => {
    const code = new Uint8Array(20_012);
    code.set([...EMPTY_MODULE, 0, 0xa0, 0x9c, 0x01, 1, 118]);
    code[50] = i;
    return code;
  });
  const cache = new ModuleCache();
  for (const code of codes) await resolve(cache, code);
  const { compile, Module } = native;
  let compiles = 0;
  Object.assign(native, {
    compile: (code: BufferSource) => (compiles++, compile(code)),
    Module: new Proxy(Module, { construct: (...given) => (compiles++, Reflect.construct(...given)) }),
  });
  try {
    for (const code of [...codes, ...codes, ...codes]) assertStrictEquals((await resolve(cache, code)).from, "memory");
    await resolve(new ModuleCache(), codes[0]!);
  } finally {
    Object.assign(native, { compile, Module });
  }
  assertStrictEquals(compiles, 1);
});

test("many wrong digests at once fail one by one, and compile nothing but what is right", async () => {
  const engine = new TextEngine();
  const cache = new ModuleCache({ engine });
  const wrong = Array.from({ length: 300 }, (_, i) => i.toString(16).padStart(64, "0"));
  const lookups = [...wrong.map((digest) => cache.resolve(bytes("hello"), { digest })), cache.resolve(bytes("hello"))];
  const ends = await Promise.allSettled(lookups);
  assertEquals(ends.filter(({ status }) => status === "rejected").length, 300);
  assertStrictEquals(ends.at(-1)!.status, "fulfilled");
  assertStrictEquals(engine.compiles, 1);
});

test("resolveSync does not wait for an asynchronous lookup of the same code", async () => {
  await inDirectory(async (directory) => {
    let release: (() => void) | undefined;
    const engine: Engine<string> = {
      id: "both",
      compile: () => new Promise((resolve) => release = () => resolve("async")),
      compileSync: () => "sync",
      serialize: (module) => bytes(module),
      deserialize: (artifact) => new TextDecoder().decode(artifact),
    };
    const cache = new ModuleCache({ engine, directory });
    const waiting = cache.resolve(bytes("code"));
    while (!release) await new Promise((resolve) => setTimeout(resolve, 1));
    // By now the asynchronous lookup holds the lock of the key, where the runtime has one.
    assertEquals(cache.resolveSync(bytes("code")).module, "sync");
    release();
    // Memory gives one module for a code: the one that was there first.
    assertStrictEquals((await waiting).module, "sync");
    assertStrictEquals((await cache.resolve(bytes("code"))).module, "sync");
  });
});

test("an engine that transfers the code away is told so, and nothing wrong is kept", async () => {
  const engine: Engine<string> = {
    id: "thief",
    compile: (code) => new TextDecoder().decode(structuredClone(code, { transfer: [code.buffer] })),
    serialize: () => undefined,
    deserialize: () => undefined,
  };
  const cache = new ModuleCache({ engine });
  for (const code of ["alpha", "beta"]) await assertRejects(() => cache.resolve(bytes(code)), TypeError, "thief");
  assertStrictEquals(cache.stats().memoryEntries, 0);
});
