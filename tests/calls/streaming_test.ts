// Code that arrives: responses, their chunks, what is too long, and what breaks.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { hostEngine, ModuleCache } from "@wasm/module-cache";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { native } from "../../src/engine/runtime.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { type Answer, GZIP, WASM, withServer } from "../_server.ts";
import { bytes, EMPTY_MODULE, inDirectory, realModule, text, TextEngine } from "../_tools.ts";
import { compilesDuring, options, response } from "./_responses.ts";

test("a response is compiled while it arrives, once for a URL", options, async () => {
  const code = realModule("sqlite");
  await inDirectory((directory) =>
    withServer(() => ({ headers: WASM, body: code }), async ({ url }) => {
      const cache = new ModuleCache({ directory, strict: true });
      const found: WebAssembly.Module[] = [];
      const cold = await compilesDuring(async () => void found.push(await cache.compileStreaming(fetch(url))));
      const warm = await compilesDuring(async () => {
        for (let i = 0; i < 3; i++) found.push(await cache.compileStreaming(await fetch(url)));
        found.push(await cache.compile(code));
        found.push((await cache.instantiateStreaming(fetch(url), importsOf(found[0]!))).module);
      });
      assertEquals([cold, warm, new Set(found).size], [1, 0, 1]);
      await cache.flush();
      assertEquals([cache.stats().compiled, cache.stats().memoryHits, cache.stats().writes], [1, 5, 1]);
      assertStrictEquals((await new ModuleCache({ directory, strict: true }).resolve(code)).from, "disk");
    })
  );
});

/** Imports that link, whatever the functions do. */
function importsOf(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const value = kind === "memory" ? new WebAssembly.Memory({ initial: 256, maximum: 32768 }) : () => 0;
    (imports[from] ??= {})[name] = value;
  }
  return imports;
}

test("an engine that keeps artifacts gets the code of a response in full", options, async () => {
  const engine = new TextEngine();
  const cache = new ModuleCache({ engine });
  assertStrictEquals((await cache.compileStreaming(response(bytes("text")))).text, "text");
  assertStrictEquals(await cache.compileStreaming(response(bytes("text"))), cache.compileSync(bytes("text")));
  assertStrictEquals(engine.compiles, 1);
});

test("a sender that uses the memory of its chunks again gets what it sent", options, async () => {
  const code = realModule("sqlite");
  for (const chunk of [new Uint8Array(1000), Buffer.alloc(1000)]) {
    let at = 0;
    const body = () =>
      new ReadableStream({
        pull(controller) {
          if (at >= code.length) return controller.close();
          const part = code.subarray(at, at += chunk.length);
          chunk.set(part);
          controller.enqueue(chunk.subarray(0, part.length));
        },
      }, { highWaterMark: 0 });
    const cache = new ModuleCache();
    const module = await cache.compileStreaming(new Response(body(), { headers: WASM }));
    assertStrictEquals(await cache.compile(code), module);
    assertStrictEquals(cache.stats().compiled, 1);
    at = 0;
    // An engine that keeps the chunks till the end gets what was sent, too.
    let chunks: Uint8Array[] = [];
    const keeping = {
      ...hostEngine(),
      compileStreaming: async (response: Response) => {
        chunks = await Array.fromAsync(response.body!);
        return await native.compile(code);
      },
    };
    await new ModuleCache({ engine: keeping }).compileStreaming(new Response(body(), { headers: WASM }));
    assertEquals(Buffer.concat(chunks).equals(code), true);
    at = 0;
    const received = await new ModuleCache({ engine: new TextEngine() }).compileStreaming(
      new Response(body(), { headers: WASM }),
    );
    assertStrictEquals(received.text, text(code));
  }
});

/** A class whose members lie; the runtimes do not ask them. */
class Lying extends Uint8Array<ArrayBuffer> {
  override get length(): number {
    return 3;
  }
  override slice(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(1);
  }
  override subarray(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(1);
  }
}

/** The same bytes in all that a sender may give for them. */
const CHUNKS: Record<string, (code: Uint8Array<ArrayBuffer>) => unknown> = {
  "Uint8Array": (code) => code,
  "Buffer": (code) => Buffer.from(code),
  "subclass": (code) => {
    const lying = new Lying(new ArrayBuffer(code.length));
    Uint8Array.prototype.set.call(lying, code);
    return lying;
  },
  "other realm": (code) => runInNewContext(`Uint8Array.of(${code})`),
  "shared": (code) => {
    const view = new Uint8Array(new SharedArrayBuffer(code.length));
    view.set(code);
    return view;
  },
  "resizable": (code) => {
    const view = new Uint8Array(new ArrayBuffer(code.length, { maxByteLength: 2 * code.length }));
    view.set(code);
    return view;
  },
  "Uint8ClampedArray": (code) => new Uint8ClampedArray(code.buffer),
  "Uint16Array": (code) => new Uint16Array(code.buffer),
  "Float32Array": (code) => new Float32Array(code.buffer),
  "DataView": (code) => new DataView(code.buffer),
  "ArrayBuffer": (code) => code.buffer,
  "SharedArrayBuffer": (code) => {
    const buffer = new SharedArrayBuffer(code.length);
    new Uint8Array(buffer).set(code);
    return buffer;
  },
  "Proxy": (code) => new Proxy(code, {}),
  "array": (code) => [...code],
  "text": () => "\0asm\x01\0\0\0",
  "number": () => 8,
  "null": () => null,
  "undefined": () => undefined,
};

function chunked(...chunks: unknown[]): Response {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  return new Response(body, { headers: WASM });
}

test(
  "chunks of every kind are taken and refused as the runtime does, and give the module of their bytes",
  options,
  async () => {
    const isTaken: Record<string, boolean> = {};
    for (const [name, chunkOf] of Object.entries(CHUNKS)) {
      const chunk = () => chunkOf(Uint8Array.from(EMPTY_MODULE));
      const expected = await native.compileStreaming!(chunked(chunk())).catch((error) => error);
      isTaken[name] = expected instanceof WebAssembly.Module;
      await inDirectory(async (directory) => {
        const engine = new TextEngine();
        const cache = new ModuleCache({ engine, directory, strict: true });
        const found = await cache.compileStreaming(chunked(chunk())).catch((error) => error);
        if (!isTaken[name]) return assertEquals([name, found.constructor], [name, expected.constructor]);
        const read = await new ModuleCache({ engine, directory, strict: true }).resolve(EMPTY_MODULE);
        const compiled = await new ModuleCache().compileStreaming(chunked(chunk()));
        assertEquals([name, found.text, read.from, read.module.text], [name, text(EMPTY_MODULE), "disk", found.text]);
        assert(compiled instanceof WebAssembly.Module);
      });
    }
    // One without bytes, or that has none any more, adds none.
    const detached = Uint8Array.of(1, 2, 3);
    structuredClone(detached, { transfer: [detached.buffer] });
    for (const empty of [new Uint8Array(), new ArrayBuffer(0), detached]) {
      const expected = await native.compileStreaming!(chunked(empty, EMPTY_MODULE)).catch((error) => error);
      const found = await new ModuleCache().compileStreaming(chunked(empty, EMPTY_MODULE)).catch((error) => error);
      assertStrictEquals(found.constructor, expected.constructor);
    }
    // What all three take, and none.
    for (const name of ["Uint8Array", "Buffer", "subclass", "other realm", "shared", "resizable"]) {
      assert(
        isTaken[name],
        name,
      );
    }
    for (const name of ["Proxy", "array", "text", "number", "null", "undefined"]) assert(!isTaken[name], name);
  },
);

test("a body that is longer than the limit is refused and let go, by all streaming calls", options, async () => {
  let sent = 0;
  let isCancelled = false;
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => void (sent++, controller.enqueue(new Uint8Array(1000))),
        cancel: () => void (isCancelled = true),
      }, { highWaterMark: 0 }),
      { headers: WASM },
    );
  for (const engine of [undefined, new TextEngine()]) {
    const cache = new ModuleCache<unknown>({ engine, maxCodeBytes: 10_000 });
    const calls = [
      () => cache.resolveStreaming(endless()),
      () => cache.compileStreaming(endless()),
      () => cache.instantiateStreaming(endless()),
      ...(engine ? [] : [() => cache.compileStreaming(endless(), {})]),
    ];
    for (const call of calls) {
      [sent, isCancelled] = [0, false];
      await assertRejects(call, RangeError, "it has more than 10000 bytes");
      assertEquals([sent, isCancelled], [11, true]);
    }
    assertEquals(cache.stats().memoryEntries, 0);
  }
  assertThrows(() => new ModuleCache({ maxCodeBytes: -1 }), RangeError);
  assertThrows(() => new ModuleCache({ maxCodeBytes: "1" as never }), TypeError);
  // As long as the limit is not longer.
  const exact = new ModuleCache({ maxCodeBytes: PROBE.length });
  assert(await exact.compileStreaming(response(PROBE)));
  await assertRejects(
    () => new ModuleCache({ maxCodeBytes: PROBE.length - 1 }).compileStreaming(response(PROBE)),
    RangeError,
  );
  assert(await new ModuleCache({ maxCodeBytes: Infinity }).compileStreaming(response(PROBE)));
});

test(
  "a response that says that it is too long is not read; what it says of its packed length is no limit",
  options,
  async () => {
    const packed = gzipSync(new Uint8Array(1_000_000));
    const answers: Record<string, Answer> = {
      "/long": { headers: { ...WASM, "content-length": "1000000" }, body: EMPTY_MODULE, breaksAt: EMPTY_MODULE.length },
      "/packed": { headers: { ...WASM, ...GZIP }, body: packed },
    };
    await withServer(({ path }) => answers[path]!, async ({ url }) => {
      const cache = new ModuleCache({ maxCodeBytes: 500_000 });
      await assertRejects(() => cache.compileStreaming(fetch(`${url}/long`)), RangeError);
      await assertRejects(() => cache.compileStreaming(fetch(`${url}/packed`)), RangeError);
    });
  },
);

test("what a response says of its length is no reason to take memory, nor to refuse it", options, async () => {
  for (const length of ["0", "1", "-1", "x", "1e15", `${2 ** 53}`]) {
    for (const engine of [undefined, new TextEngine()]) {
      const cache = new ModuleCache<unknown>({ engine, maxCodeBytes: Infinity });
      assert(await cache.compileStreaming(response(PROBE, { ...WASM, "content-length": length })), length);
      assertStrictEquals(cache.stats().memoryBytes, PROBE.length);
    }
  }
});

test("code of a URL that changes is compiled while it arrives, whatever came before", options, async () => {
  let version = 0;
  const answer = () => ({ headers: WASM, body: Uint8Array.from([...EMPTY_MODULE, 0, 2, 1, version++]) });
  await withServer(answer, async ({ url }) => {
    const cache = new ModuleCache();
    const compiles = await compilesDuring(async () => {
      for (let i = 0; i < 4; i++) await cache.compileStreaming(fetch(url));
    });
    assertEquals([compiles, cache.stats().compiled], [4, 4]);
  });
});

test("what is no response of WebAssembly is a TypeError", options, async () => {
  const cache = new ModuleCache();
  const used = response(PROBE);
  await used.arrayBuffer();
  const wrong: unknown[] = [
    undefined,
    PROBE,
    { ok: true },
    new Response(PROBE),
    response(PROBE, { "content-type": "text/html" }),
    response(PROBE, { "content-type": "application/wasm; charset=utf-8" }),
    new Response(PROBE, { headers: WASM, status: 404 }),
    used,
  ];
  for (const source of wrong) {
    await assertRejects(() => cache.compileStreaming(source as Response), TypeError);
    await assertRejects(() => cache.instantiateStreaming(Promise.resolve(source as Response)), TypeError);
  }
  assert(await cache.compileStreaming(response(PROBE, { "content-type": " Application/WASM\t" })));
  const failure = new RangeError("mine");
  assertStrictEquals(await cache.compileStreaming(Promise.reject(failure)).catch((error) => error), failure);
});

test("a response that breaks or is no code rejects, and nothing is kept", options, async () => {
  const code = realModule("sqlite");
  const answers: Record<string, Answer> = {
    "/breaks": { headers: WASM, body: code, breaksAt: 400_000 },
    "/wrong": { headers: WASM, body: bytes("no wasm at all".repeat(10_000)) },
    "/empty": { headers: WASM },
  };
  await inDirectory((directory) =>
    withServer(({ path }) => answers[path]!, async ({ url }) => {
      const cache = new ModuleCache({ directory, strict: true });
      for (let i = 0; i < 2; i++) {
        const broken = await cache.compileStreaming(fetch(`${url}/breaks`)).catch((error) => error);
        assert(broken instanceof Error && !(broken instanceof WebAssembly.CompileError), String(broken));
        await assertRejects(() => cache.compileStreaming(fetch(`${url}/wrong`)), WebAssembly.CompileError);
        await assertRejects(() => cache.compileStreaming(fetch(`${url}/empty`)), WebAssembly.CompileError);
      }
      await cache.flush();
      assertEquals([cache.stats().writes, cache.stats().memoryEntries], [0, 0]);
    })
  );
});

test("a response whose URL is none, as mocks give it, is taken", options, async () => {
  const mocked = Object.defineProperty(response(PROBE, WASM), "url", { value: "/a.wasm" });
  assert(await new ModuleCache().compileStreaming(mocked));
});
