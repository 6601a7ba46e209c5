// Packed code: each format, sync and async, and all that can be wrong with it.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
import { unpack, type UnpackOptions } from "@wasm/module-cache/unpack";
import { wat } from "@wasm/module-cache/wat";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { inflateByStream } from "../../src/steps/zlib.ts";
import { GZIP, WASM, withServer } from "../_server.ts";
import { bothWays, bytes, EMPTY_MODULE, hitsOnly, inDirectory, realModule, TextEngine } from "../_tools.ts";

const options = { timeout: 60_000 };
const sqlite = realModule("sqlite");

type Pack = (code: Uint8Array) => Uint8Array<ArrayBuffer>;

/** Each format, packed as its tools do it. */
const PACKS: Record<"gzip" | "brotli" | "zstd", Pack> = {
  gzip: (code) => new Uint8Array(gzipSync(code)),
  brotli: (code) => new Uint8Array(brotliCompressSync(code, { params: { 1: 4 } })),
  // With a checksum.
  zstd: (code) => new Uint8Array(zstdCompressSync(code, { params: { 201: 1 } })),
};
const formats = Object.entries(PACKS) as ["gzip" | "brotli" | "zstd", Pack][];

function cacheOf(options?: UnpackOptions): ModuleCache {
  return new ModuleCache({ engine: prepared(hostEngine(), unpack(options)) });
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

bothWays(
  "code of every format is unpacked once, and what came out is kept",
  (resolve) =>
    inDirectory(async (directory) => {
      for (const [format, pack] of formats) {
        for (const wanted of [format, "auto"] as const) {
          const engine = prepared(hostEngine(), unpack({ format: wanted }));
          const code = pack(sqlite);
          const cache = new ModuleCache({ engine, directory, strict: true });
          const { from, module } = await resolve(cache, code);
          assertEquals([format, from, WebAssembly.Module.exports(module).length > 100], [format, "compiled", true]);
          const later = new ModuleCache({ engine: hitsOnly(engine), directory, strict: true });
          assertStrictEquals((await resolve(later, code)).from, "disk");
        }
      }
    }),
);

bothWays("code that is not packed passes through", async (resolve) => {
  for (const format of ["auto", "gzip", "brotli", "zstd"] as const) {
    assert(await resolve(cacheOf({ format }), sqlite));
  }
  const texts = prepared(new TextEngine(), unpack());
  for (const text of ["", "(module)", "a text\n", "\x1f", "(", "{}", "\0", "\x0b\x02\x80"]) {
    assertEquals((await resolve(new ModuleCache({ engine: texts }), bytes(text))).module.text, text);
  }
});

bothWays("several members are one code", async (resolve) => {
  const [head, tail] = [sqlite.subarray(0, 300_000), sqlite.subarray(300_000)];
  const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);
  const { gzip, zstd } = PACKS;
  const codes = [
    joined(gzip(head), gzip(tail)),
    joined(zstd(head), zstd(tail)),
    joined(skippable, zstd(head), skippable, zstd(tail), skippable),
    joined(gzip(head), gzip(new Uint8Array()), gzip(tail)),
  ];
  for (const code of codes) assert(WebAssembly.Module.exports((await resolve(cacheOf(), code)).module).length > 100);
});

bothWays(
  "what is damaged, cut or followed by something is a CompileError, and not kept",
  (resolve) =>
    inDirectory(async (directory) => {
      for (const [format, pack] of formats) {
        const code = pack(sqlite.subarray(0, 50_000));
        const wrong: Record<string, Uint8Array> = {
          ...Object.fromEntries([1, 2, 4, 5, 8, 9, 100, code.length >> 1, code.length - 4]
            .map((cut) => [`cut by ${cut}`, code.subarray(0, -cut)])),
          ...Object.fromEntries(["\0", "x", "\0\0\0\0", "\x1f", "\x1f\x8b", "(\xb5"]
            .map((text) => [
              `followed by ${JSON.stringify(text)}`,
              joined(code, Uint8Array.from(text, (c) => c.charCodeAt(0))),
            ])),
          "followed by wasm": joined(code, EMPTY_MODULE),
          "followed by a cut one": joined(code, code.subarray(0, -1)),
        };
        if (format !== "brotli") {
          const flipped = Uint8Array.from(code);
          flipped[code.length >> 1]! ^= 0x55;
          wrong.flipped = flipped;
        }
        for (const [name, damaged] of Object.entries(wrong)) {
          // Brotli that is damaged is nothing that can be known.
          for (const wanted of format === "brotli" ? [format] : [format, "auto"] as const) {
            const engine = prepared(new TextEngine(), unpack({ format: wanted }));
            const cache = new ModuleCache({ engine, directory, strict: true });
            const error = await resolve(cache, damaged as Uint8Array<ArrayBuffer>).catch((error) => error);
            assert(error instanceof WebAssembly.CompileError, `${format} ${wanted} ${name}: ${error}`);
            assertEquals(cache.stats().writes, 0);
          }
        }
      }
    }),
);

bothWays("what would be too long is inflated no further", async (resolve) => {
  const zeros = new Uint8Array(32 * 1024 * 1024);
  zeros.set(EMPTY_MODULE);
  for (const [format, pack] of formats) {
    const bomb = pack(zeros);
    for (const wanted of [format, "auto"] as const) {
      for (const maxBytes of [0, 1, 1000, zeros.length - 1]) {
        const error = await resolve(cacheOf({ format: wanted, maxBytes }), bomb).catch((error) => error);
        assert(error instanceof RangeError, `${format} ${wanted} ${maxBytes}: ${error}`);
      }
    }
    const small = pack(EMPTY_MODULE);
    assert(await resolve(cacheOf({ format, maxBytes: EMPTY_MODULE.length }), small));
    assert(await resolve(cacheOf({ format, maxBytes: Infinity }), small));
    // Together they are too long.
    const two = joined(pack(EMPTY_MODULE), pack(Uint8Array.of(0, 2, 1, 97)));
    if (format === "brotli") continue;
    assert(await resolve(cacheOf({ maxBytes: 12 }), two));
    const error = await resolve(cacheOf({ maxBytes: 11 }), two).catch((error) => error);
    assert(error instanceof RangeError, `${format}: ${error}`);
  }
});

test("packed text goes on to the next step", options, async () => {
  const text = bytes('(module (func (export "f")))');
  for (const [format, pack] of formats) {
    const engine = prepared(prepared(hostEngine(), wat()), unpack({ format }));
    const module = await new ModuleCache({ engine }).compile(pack(text));
    assertEquals(WebAssembly.Module.exports(module).length, 1);
  }
});

test("load takes what servers and folders have packed", options, async () => {
  await inDirectory((directory) =>
    withServer(({ path }) => {
      const body = PACKS[path.slice(1) as "gzip"]?.(sqlite) ?? sqlite;
      const headers = { "content-type": "application/octet-stream", "cache-control": "max-age=600" };
      return path === "/encoded" ? { headers: { ...WASM, ...GZIP }, body: PACKS.gzip(body) } : { headers, body };
    }, async ({ url, asked }) => {
      const engine = prepared(hostEngine(), unpack());
      const load = async (from: string) => {
        const cache = new ModuleCache({ engine, directory: `${directory}/cache`, strict: true });
        const module = await cache.load(from, { type: "any" });
        await cache.flush();
        assert(WebAssembly.Module.exports(module).length > 100);
        return cache.stats().diskHits;
      };
      for (const [format, pack] of formats) {
        assertEquals([await load(`${url}/${format}`), await load(`${url}/${format}`)], [0, 1]);
        writeFileSync(`${directory}/a.${format}`, pack(sqlite));
        assertEquals(await load(pathToFileURL(`${directory}/a.${format}`).href), 1);
      }
      assertEquals(asked.length, formats.length);
      await load(`${url}/encoded`);
      await load(`${url}/plain`);
      await assertRejects(() => new ModuleCache({ engine }).load(`${url}/gzip`), TypeError);
    })
  );
});

test("web standards inflate too, up to the limit", options, async () => {
  const packed = (code: Uint8Array) => joined(code, Uint8Array.of(0));
  const { output } = await inflateByStream(packed(PACKS.gzip(sqlite)), "gzip", sqlite.length);
  assertEquals(new Uint8Array(output), sqlite);
  const bomb = packed(PACKS.gzip(new Uint8Array(100_000_000)));
  await assertRejects(() => inflateByStream(bomb, "gzip", 1_000_000), RangeError);
  await assertRejects(() => inflateByStream(packed(PACKS.gzip(sqlite).subarray(0, -5)), "gzip", Infinity), Error);
  await assertRejects(() => inflateByStream(bomb, "none", Infinity), TypeError, "nothing for it");
});

test("wrong options are TypeErrors and RangeErrors", () => {
  assertThrows(() => unpack({ format: "deflate" as never }), TypeError);
  for (const maxBytes of ["1", null, {}]) assertThrows(() => unpack({ maxBytes: maxBytes as never }), TypeError);
  for (const maxBytes of [-1, 1.5, NaN]) assertThrows(() => unpack({ maxBytes }), RangeError);
  const ids = [unpack(), unpack({ maxBytes: 5 }), ...formats.map(([format]) => unpack({ format }))].map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length - 1);
});
