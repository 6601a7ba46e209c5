// ModuleCache: the walk through every way a module can come, concurrency, digests, errors.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { type Engine, hostEngine, ModuleCache, type Resolved } from "@wasm/module-cache";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { native } from "../src/engine/runtime.ts";
import {
  bothWays,
  bytes,
  EMPTY_MODULE,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  payloadOf,
  realModule,
  type Resolve,
  TextEngine,
  type TextModule,
} from "./_tools.ts";

function fail(): never {
  throw new Error("the engine failed");
}

/** The walk of the model: every way a module can come, one after another, on one engine and code. */
async function walk<M>(engine: Engine<M>, code: Uint8Array<ArrayBuffer>, resolve: Resolve): Promise<void> {
  await inDirectory(async (directory) => {
    const warnings: string[] = [];
    const cache = new ModuleCache({ engine, directory, onWarning: ({ code }) => warnings.push(code) });
    const next = async () => {
      const { from } = await resolve(cache, code);
      await cache.flush();
      return from;
    };
    assertStrictEquals(await next(), "compiled");
    assertStrictEquals(await next(), "memory");
    assertStrictEquals(await next(), "memory");
    cache.clearMemory();
    assertStrictEquals(await next(), "disk");
    const artifact = payloadOf(onlyEntry(directory));

    rmSync(onlyEntry(directory));
    cache.clearMemory();
    assertStrictEquals(await next(), "compiled");

    writeFileSync(onlyEntry(directory), "invalid module");
    cache.clearMemory();
    assertEquals(warnings, []);
    assertStrictEquals(await next(), "recompiled");
    assertEquals(warnings, ["CORRUPT"]);
    assertStrictEquals(await next(), "memory");
    cache.clearMemory();
    assertStrictEquals(await next(), "disk");
    assertEquals(payloadOf(onlyEntry(directory)), artifact);

    // What the entry gives, it gives without a compile.
    const other = new ModuleCache({ engine: hitsOnly(engine), directory, strict: true });
    assertStrictEquals((await resolve(other, code)).from, "disk");
  });
}

bothWays(
  "the model's walk with an engine whose artifact is not its code",
  (resolve) => walk(new TextEngine(), bytes("hello"), resolve),
);
bothWays("the model's walk on sqlite", (resolve) => walk(hostEngine(), realModule("sqlite"), resolve));
bothWays("the model's walk on esbuild", (resolve) => walk(hostEngine(), realModule("esbuild"), resolve));

bothWays("the stored artifact is byte for byte what was serialized", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine(), directory });
    await resolve(cache, bytes("hello"));
    assertEquals(payloadOf(onlyEntry(directory)), bytes("artifact of hello"));
  }));

bothWays("the host engine's entry is the code", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory });
    await resolve(cache, realModule("sqlite"));
    await cache.flush();
    assertEquals(payloadOf(onlyEntry(directory)), realModule("sqlite"));
  }));

bothWays("a module from any place works", (resolve) =>
  inDirectory(async (directory) => {
    // (func (export "answer") (result i32) i32.const 42)
    const code = Uint8Array.from([
      ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0],
      ...[7, 10, 1, 6, 97, 110, 115, 119, 101, 114, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11],
    ]);
    const cache = new ModuleCache({ directory });
    for (const from of ["compiled", "memory", "disk"]) {
      if (from === "disk") cache.clearMemory();
      const resolved = await resolve(cache, code);
      assertStrictEquals(resolved.from, from);
      const { answer } = new WebAssembly.Instance(resolved.module).exports;
      assertStrictEquals((answer as () => number)(), 42);
    }
  }));

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

async function provenanceAndText(resolved: Promise<Resolved<TextModule>>): Promise<[string, string]> {
  const { from, module } = await resolved;
  return [from, module.text];
}

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

test("codes of one stripe do not wait for each other in one process", async () => {
  await inDirectory(async (directory) => {
    let release: (() => void) | undefined;
    const engine = new TextEngine();
    // The keys of these two begin with the same two digits.
    const slow: Engine<TextModule> = {
      id: engine.id,
      compile: async (code) => {
        if (code.length === 1) await new Promise<void>((resolve) => release = resolve);
        return engine.compile(code);
      },
      serialize: (module) => engine.serialize(module),
      deserialize: (artifact) => engine.deserialize(artifact),
    };
    const cache = new ModuleCache({ engine: slow, directory, strict: true, lockTimeoutMs: 50 });
    const first = cache.resolve(bytes("a"));
    while (!release) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = await cache.resolve(bytes("b56"));
    assertStrictEquals(second.from, "compiled");
    release();
    const { key } = await first;
    assertStrictEquals(key.slice(0, 2), second.key.slice(0, 2));
    assertStrictEquals(entriesIn(directory).length, 2);
  });
});

test("resolveSync with an engine that can only deserialize asynchronously leaves the entry alone", async () => {
  await inDirectory(async (directory) => {
    const quick = new TextEngine();
    const engine: Engine<TextModule> = {
      id: quick.id,
      compile: (code) => quick.compile(code),
      serialize: (module) => quick.serialize(module),
      deserialize: (artifact) => Promise.resolve(quick.deserialize(artifact)),
    };
    await new ModuleCache({ engine, directory }).resolve(bytes("hello"));
    const { ino } = statSync(onlyEntry(directory));
    const { from, reason } = new ModuleCache({ engine, directory, strict: true }).resolveSync(bytes("hello"));
    assertStrictEquals(from, "compiled");
    assertMatch(reason!, /deserializeSync/);
    assertStrictEquals(statSync(onlyEntry(directory)).ino, ino);
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

bothWays("two engines in one directory never share an entry", (resolve) =>
  inDirectory(async (directory) => {
    const keys = new Set<string>();
    for (const id of ["a/b", "a_b", "a\\b", "../a", "A/B"]) {
      const engine = new TextEngine(id);
      const resolved = await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
      assertStrictEquals(resolved.from, "compiled", id);
      keys.add(resolved.key);
    }
    assertEquals([keys.size, entriesIn(directory).length], [5, 5]);
  }));

bothWays("an entry put in the place of another is not taken for it", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine(), directory, onWarning: () => {} });
    await resolve(cache, bytes("one"));
    const one = onlyEntry(directory);
    await resolve(cache, bytes("two"));
    const two = entriesIn(directory).find((path) => path !== one)!;
    writeFileSync(one, readFileSync(two));
    cache.clearMemory();
    assertEquals(await provenanceAndText(resolve(cache, bytes("one"))), ["recompiled", "one"]);
  }));

bothWays("an entry that the engine does not take is made again", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
    for (
      const { deserialize, warned } of [{ deserialize: () => undefined, warned: [] }, {
        deserialize: fail,
        warned: ["SERIALIZE"],
      }]
    ) {
      const warnings: string[] = [];
      const picky = Object.assign(new TextEngine(), { deserialize });
      const cache = new ModuleCache({ engine: picky, directory, onWarning: ({ code }) => warnings.push(code) });
      assertEquals(await provenanceAndText(resolve(cache, bytes("hello"))), ["recompiled", "hello"]);
      assertEquals(warnings, warned);
    }
  }));

bothWays(
  "an engine that cannot serialize costs the entry, not the module",
  (resolve) =>
    inDirectory(async (directory) => {
      const failing: (() => Uint8Array | undefined)[] = [() => undefined, fail, () => "text" as unknown as Uint8Array];
      for (const serialize of failing) {
        const engine = Object.assign(new TextEngine(), { serialize });
        const warnings: string[] = [];
        const cache = new ModuleCache({ engine, directory, onWarning: ({ code }) => warnings.push(code) });
        assertEquals(await provenanceAndText(resolve(cache, bytes("hello"))), ["compiled", "hello"]);
        assertEquals(warnings, serialize === failing[0] ? [] : ["SERIALIZE"]);
      }
      assertEquals(entriesIn(directory), []);
    }),
);

test("resolveSync says what an asynchronous engine lacks", async () => {
  await inDirectory((directory) => {
    const engine: Engine<string> = {
      id: "async",
      compile: () => Promise.reject(new Error("nobody waits for this")),
      serialize: () => undefined,
      deserialize: () => undefined,
    };
    const cache = new ModuleCache({ engine, directory });
    return assertRejects(async () => await cache.resolveSync(bytes("a")), TypeError, "compileSync");
  });
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

test("delete forgets one module by its code and by its key", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine(), directory });
    const { key } = await cache.resolve(bytes("one"));
    await cache.resolve(bytes("two"));
    assertStrictEquals(await cache.delete(bytes("one")), true);
    assertStrictEquals(await cache.delete(bytes("one")), false);
    assertStrictEquals((await cache.resolve(bytes("one"))).from, "compiled");
    assertStrictEquals(await cache.delete(key), true);
    assertStrictEquals((await cache.resolve(bytes("one"))).from, "compiled");
    assertStrictEquals((await cache.resolve(bytes("two"))).from, "memory");
    await assertRejects(() => cache.delete("../../etc/passwd"), TypeError);
  });
});

test("delete comes after the write that it must undo", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory });
    const { key } = await cache.resolve(EMPTY_MODULE);
    assertStrictEquals(await cache.delete(key), true);
    await cache.flush();
    assertEquals(entriesIn(directory), []);
  });
});

test("clear removes this engine's entries and nothing else", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine("mine"), directory });
    const other = new ModuleCache({ engine: new TextEngine("other"), directory });
    await cache.resolve(bytes("one"));
    await cache.resolve(bytes("two"));
    await other.resolve(bytes("one"));
    const foreign = `${onlyFolderOf(entriesIn(directory), "mine")}/notes.txt`;
    writeFileSync(foreign, "not ours");
    await cache.clear();
    assertStrictEquals(entriesIn(directory).length, 1);
    assertStrictEquals(readFileSync(foreign, "utf8"), "not ours");
    assertStrictEquals((await cache.resolve(bytes("one"))).from, "compiled");
    assertStrictEquals((await other.resolve(bytes("one"))).from, "memory");
  });
});

function onlyFolderOf(entries: string[], engine: string): string {
  return entries.find((path) => path.includes(engine))!.replace(/[\\/][^\\/]+$/, "");
}

test("an entry of the host engine is written behind the caller and kept when the cache is disposed", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory });
    await cache.compile(EMPTY_MODULE);
    await cache[Symbol.asyncDispose]();
    assertStrictEquals(cache.stats().memoryEntries, 0);
    assertEquals(payloadOf(onlyEntry(directory)), EMPTY_MODULE);
  });
});

test("writes behind come one after another, and flush waits for all", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory, strict: true });
    const codes = Array.from({ length: 300 }, (_, i) => Uint8Array.of(...EMPTY_MODULE, 0, 3, 1, 118, i));
    codes.forEach((code, i) => code[code.length - 1] = i % 200);
    for (const code of codes) cache.resolveSync(code);
    await cache.flush();
    assertEquals([entriesIn(directory).length, cache.stats().writes], [200, 200]);
    // Scheduled while another one is under way.
    const more = Array.from({ length: 20 }, (_, i) => Uint8Array.of(...EMPTY_MODULE, 0, 4, 1, 118, i, i));
    await Promise.all(more.map((code) => cache.resolve(code)));
    await cache.flush();
    assertStrictEquals(entriesIn(directory).length, 220);
  });
});

bothWays("a lookup sees the write of another that is still to be done", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory });
    await resolve(cache, EMPTY_MODULE);
    cache.clearMemory();
    const { from, reason } = await resolve(cache, EMPTY_MODULE);
    assertStrictEquals(from, "disk");
    assertMatch(reason!, /keeps code/);
  }));

test("compile and compileSync give the module alone", async () => {
  const cache = new ModuleCache();
  const module = await cache.compile(EMPTY_MODULE);
  assertInstanceOf(module, WebAssembly.Module);
  assertStrictEquals(cache.compileSync(EMPTY_MODULE), module);
});

bothWays("a lookup tells key and time, and stats add up", async (resolve) => {
  const cache = new ModuleCache({ engine: new TextEngine(), maxEntries: 1 });
  const first = await resolve(cache, bytes("one"));
  assertMatch(first.key, /^[0-9a-f]{64}$/);
  assert(first.elapsedMs >= 0 && first.elapsedMs < 60_000);
  assertNotEquals((await resolve(cache, bytes("two"))).key, first.key);
  assertStrictEquals((await resolve(cache, bytes("one"))).key, first.key);
  const { compiled, memoryHits, memoryEntries, memoryBytes, evictions } = cache.stats();
  assertEquals([compiled, memoryHits, memoryEntries, memoryBytes, evictions], [3, 0, 1, 3, 2]);
});

test("status and stats fit in one object: no name of theirs is the same", () => {
  const cache = new ModuleCache();
  const names = [cache.status(), cache.stats()].flatMap(Object.keys);
  assertEquals(names.length, new Set(names).size);
});

bothWays("without a directory nothing is written, and status says so", async (resolve) => {
  const cache = new ModuleCache();
  assertStrictEquals((await resolve(cache, EMPTY_MODULE)).from, "compiled");
  assertStrictEquals((await resolve(cache, EMPTY_MODULE)).from, "memory");
  assertEquals(cache.status(), { disk: "off", reason: "no directory was given" });
});
