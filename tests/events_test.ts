// What a cache tells those who listen: its events, and the channels of `node:diagnostics_channel`.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { CacheError, type LookupDetail, ModuleCache } from "@wasm/module-cache";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { bothWays, bytes, entriesIn, inDirectory, onlyEntry, TextEngine, thisRuntime } from "./_tools.ts";

bothWays("lookups and writes are told, with their facts", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine(), directory, strict: true });
    const told: unknown[] = [];
    cache.addEventListener("lookup", ({ detail, target, type }) => {
      assert(target === cache && detail.elapsedMs >= 0);
      told.push([type, detail.key, detail.from, detail.bytes]);
    });
    cache.addEventListener("store", ({ detail, type }) => told.push([type, detail.key, detail.bytes]));
    const { key } = await resolve(cache, bytes("hello"));
    await resolve(cache, bytes("hello"));
    const { size } = statSync(onlyEntry(directory));
    assertEquals(told, [["store", key, size], ["lookup", key, "compiled", 5], ["lookup", key, "memory", 5]]);
  }));

bothWays("an evicted module is told, with its key", async (resolve) => {
  const cache = new ModuleCache({ engine: new TextEngine(), maxEntries: 1 });
  const told: unknown[] = [];
  cache.addEventListener("evict", ({ detail }) => told.push(detail));
  const { key } = await resolve(cache, bytes("hello"));
  await resolve(cache, bytes("other"));
  await resolve(cache, bytes("other"));
  cache.clearMemory();
  assertEquals(told, [{ key, bytes: 5 }]);
});

test("a warning is told as onWarning gets it, each kind once", async () => {
  await inDirectory(async (directory) => {
    const got: unknown[] = [];
    const cache = new ModuleCache({ engine: new TextEngine(), directory, onWarning: (warning) => got.push(warning) });
    cache.addEventListener("warning", ({ detail }) => void got.push(detail));
    await cache.resolve(bytes("a"));
    writeFileSync(onlyEntry(directory), "damaged");
    for (let i = 0; i < 2; i++) {
      cache.clearMemory();
      await cache.resolve(bytes("a"));
    }
    assertStrictEquals(got.length, 2);
    assert(got[0] instanceof CacheError && got[0] === got[1]);
  });
});

test("a listener can be taken away, called once, or be an object; names of others do no harm", async () => {
  const cache = new ModuleCache({ engine: new TextEngine() });
  const told: string[] = [];
  const listener = ({ detail }: CustomEvent<LookupDetail>) => void told.push(detail.from);
  cache.addEventListener("lookup", listener);
  cache.addEventListener("lookup", () => told.push("once"), { once: true });
  cache.addEventListener("other", { handleEvent: () => told.push("other") });
  cache.addEventListener("lookup", null);
  await cache.resolve(bytes("a"));
  cache.removeEventListener("lookup", listener);
  await cache.resolve(bytes("a"));
  cache.dispatchEvent(new Event("other"));
  assertEquals(told, ["compiled", "once", "other"]);
});

test(
  "channels of diagnostics_channel tell of all caches of the process",
  { skip: thisRuntime().startsWith("Deno") ? "to load them takes Deno 20 ms" : false },
  () =>
    inDirectory(async (directory) => {
      const told: unknown[] = [];
      const listeners = ["lookup", "store", "evict", "warning"].map((name) => {
        const listener = (detail: unknown) => void told.push([name, Object.keys(detail as object).sort().join()]);
        subscribe(`wasm-module-cache:${name}`, listener);
        return [`wasm-module-cache:${name}`, listener] as const;
      });
      try {
        for (const id of ["one", "two"]) {
          const options = { engine: new TextEngine(id), directory, maxEntries: 1, onWarning: () => {} };
          const cache = new ModuleCache(options);
          await cache.resolve(bytes("a"));
          for (const path of entriesIn(directory)) writeFileSync(path, "damaged");
          cache.clearMemory();
          await cache.resolve(bytes("a"));
          await cache.resolve(bytes("b"));
        }
      } finally {
        for (const [name, listener] of listeners) unsubscribe(name, listener);
      }
      const count = (name: string) => told.filter((each) => (each as string[])[0] === name).length;
      assertEquals(["lookup", "store", "evict", "warning"].map(count), [6, 6, 2, 2]);
      assert(told.some((each) => `${each}` === "lookup,bytes,elapsedMs,from,key,reason"), `${told}`);
      await new ModuleCache({ engine: new TextEngine() }).resolve(bytes("a"));
      assertStrictEquals(count("lookup"), 6);
    }),
);
