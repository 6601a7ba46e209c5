// Loading by URL: arguments, files, data: URLs, and what is too long wherever it comes from.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type LoadOptions, ModuleCache } from "@wasm/module-cache";
import { Buffer } from "node:buffer";
import { existsSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { openContext } from "../../src/context.ts";
import { Loader } from "../../src/load/loader.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import type { Files } from "../../src/platform/platform.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { GZIP, withServer } from "../_server.ts";
import { entriesIn, inDirectory, realModule, TextEngine } from "../_tools.ts";
import { FRESH, options, OTHER, sri, strict } from "./_loads.ts";

test("code that is longer than the limit is not loaded, wherever it comes from", options, async () => {
  const code = realModule("sqlite");
  await inDirectory((directory) =>
    withServer(
      ({ path }) =>
        path === "/packed" ? { headers: { ...FRESH, ...GZIP }, body: gzipSync(code) } : { headers: FRESH, body: code },
      async ({ url }) => {
        const path = `${directory}/a.wasm`;
        writeFileSync(path, code);
        const base64 = `data:application/wasm;base64,${Buffer.from(code).toString("base64")}`;
        const urls = [`${url}/plain`, `${url}/packed`, pathToFileURL(path).href, base64];
        const integrity = sri(code);
        for (const engine of [undefined, new TextEngine()]) {
          const cache = new ModuleCache<unknown>({ engine, directory, strict: true, maxCodeBytes: code.length - 1 });
          for (const given of urls) {
            const error = await cache.load(given, { integrity }).catch((error) => error);
            assert(error instanceof RangeError && error.message.length < 300, `${given.slice(0, 50)}: ${error}`);
          }
          await cache.flush();
          assertEquals([entriesIn(directory), cache.stats().memoryEntries], [[], 0]);
          const exact = new ModuleCache<unknown>({ engine, maxCodeBytes: code.length });
          for (const given of urls) assert(await exact.load(given, { integrity }));
        }
        const cache = strict();
        if (existsSync("/dev/zero")) await assertRejects(() => cache.load("file:///dev/zero"), TypeError);
        await assertRejects(() => cache.load(pathToFileURL(directory)), TypeError);
      },
    )
  );
});

test("without a directory, memory and HTTP decide", options, async () => {
  await withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url, asked }) => {
    const cache = strict();
    const module = await cache.load(url);
    assertStrictEquals(await cache.load(url), module);
    assertEquals([asked.length, cache.stats().memoryHits], [1, 1]);
    cache.clearMemory();
    await cache.load(url);
    assertStrictEquals(asked.length, 2);
  });
});

type Three = [string, string, string];

test("a file is read again only when it changed", options, async () => {
  await inDirectory(async (directory) => {
    const [path, link] = [`${directory}/a.wasm`, `${directory}/b.wasm`];
    writeFileSync(path, PROBE);
    symlinkSync(path, link);
    utimesSync(path, 1000, 1000);
    const cache = strict();
    const exportsOf = async (url = pathToFileURL(path), load?: LoadOptions) =>
      WebAssembly.Module.exports(await cache.load(url, load)).length;
    assertEquals([await exportsOf(), await exportsOf(), await exportsOf(pathToFileURL(link))], [2, 2, 2]);
    await assertRejects(() => exportsOf(undefined, { integrity: sri(OTHER) }), TypeError);
    assertStrictEquals(await exportsOf(undefined, { integrity: sri(PROBE, "sha512") }), 2);
    // Same size and time, other bytes: what is not read is not seen.
    const changed = Uint8Array.from(PROBE);
    changed[changed.lastIndexOf(0x6a)] = 0x6b;
    const digests = cache.stats().compiled;
    writeFileSync(path, changed);
    utimesSync(path, 1000, 1000);
    await exportsOf();
    assertStrictEquals(cache.stats().compiled, digests);
    await exportsOf(undefined, { cache: "reload" });
    assertStrictEquals(cache.stats().compiled, digests + 1);
    utimesSync(path, 2000, 2000);
    writeFileSync(path, OTHER);
    assertStrictEquals(await exportsOf(), 0);
    assertStrictEquals(await exportsOf(undefined, { integrity: sri(OTHER) }), 0);
    await assertRejects(() => exportsOf(undefined, { integrity: sri(PROBE) }), TypeError);
    const entries = strict(`${directory}/cache`);
    await entries.load(pathToFileURL(path), { cache: "no-store" });
    await entries.flush();
    assertEquals(entriesIn(directory), []);
    await assertRejects(() => cache.load(pathToFileURL(`${directory}/none.wasm`)), Error);
  });
});

test("a file that became another while it was read is read again", options, async () => {
  await inDirectory(async (directory) => {
    const [path, one, other] = ["link", "one", "other"].map((name) => `${directory}/${name}.wasm`) as Three;
    writeFileSync(one, PROBE);
    writeFileSync(other, OTHER);
    for (const file of [one, other]) utimesSync(file, 1000, 1000);
    const point = (file: string) => {
      rmSync(path, { force: true });
      symlinkSync(file, path);
    };
    const { files, ...platform } = detectPlatform();
    let isSwapping = true;
    const readWhole: Files["readWhole"] = (name) => {
      if (isSwapping) point(other);
      isSwapping = false;
      return files!.readWhole(name);
    };
    const loader = new Loader(
      openContext<WebAssembly.Module>({ strict: true }, { ...platform, files: { ...files!, readWhole } }),
    );
    point(one);
    const exportsOf = async () =>
      WebAssembly.Module.exports((await loader.load(pathToFileURL(path), {})).module).length;
    assertStrictEquals(await exportsOf(), 0);
    point(one);
    assertEquals([await exportsOf(), await exportsOf()], [2, 2]);
  });
});

test("a file is loaded where memory keeps nothing", options, async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/a.wasm`;
    writeFileSync(path, PROBE);
    utimesSync(path, 1000, 1000);
    const cache = strict(undefined, { maxEntries: 0 });
    for (let i = 0; i < 2; i++) assert(await cache.load(pathToFileURL(path)) instanceof WebAssembly.Module);
    assertStrictEquals(cache.stats().compiled, 2);
  });
});

test("clear forgets what is known of files", options, async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/a.wasm`;
    const cache = strict();
    for (const code of [PROBE, Uint8Array.from(PROBE.with(PROBE.lastIndexOf(0x6a), 0x6b))]) {
      writeFileSync(path, code);
      utimesSync(path, 1000, 1000);
      const module = await cache.load(pathToFileURL(path));
      assertStrictEquals(module, await cache.compile(code));
      await cache.clear();
      // In memory it is all the same, by its digest.
      await cache.compile(code);
    }
    assertStrictEquals(cache.stats().compiled, 4);
  });
});

test("a file that was just written is read each time", options, async () => {
  const nowS = Math.floor(Date.now() / 1000);
  await inDirectory(async (directory) => {
    const path = `${directory}/a.wasm`;
    const cache = strict();
    for (const code of [PROBE, Uint8Array.from(PROBE.with(PROBE.lastIndexOf(0x6a), 0x6b))]) {
      writeFileSync(path, code);
      // Another content within the same tick of the file system's clock.
      utimesSync(path, nowS, nowS);
      await cache.load(pathToFileURL(path));
    }
    assertStrictEquals(cache.stats().compiled, 2);
  });
});

test("a data: URL is loaded", options, async () => {
  const cache = strict();
  const base64 = btoa(String.fromCharCode(...PROBE));
  const url = `data:application/wasm;base64,${base64}`;
  assertStrictEquals(await cache.load(url, { integrity: sri(PROBE) }), await cache.compile(PROBE));
  await assertRejects(() => cache.load(`data:text/html;base64,${base64}`), TypeError);
});

test("wrong arguments are TypeErrors", options, async () => {
  const cache = strict();
  await assertRejects(() => cache.load("relative.wasm"), TypeError);
  const data = `data:application/wasm;base64,${btoa(String.fromCharCode(...PROBE))}`;
  for (const load of [{ cache: "sometimes" }, { type: "all" }, { integrity: "md5-abc" }, { integrity: 7 }]) {
    await assertRejects(() => cache.load(data, load as never), TypeError);
  }
  await assertRejects(() => cache.load("unknown:thing"), TypeError);
});
