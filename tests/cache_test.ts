// ModuleCache: the walk through every way a module can come, what it removes, what it tells of itself.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { hostEngine, ModuleCache } from "@wasm/module-cache";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  bothWays,
  bytes,
  EMPTY_MODULE,
  entriesIn,
  inDirectory,
  onlyEntry,
  payloadOf,
  realModule,
  TextEngine,
} from "./_tools.ts";
import { walk } from "./_walk.ts";

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
