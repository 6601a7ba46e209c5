// What stats counts besides lookups: why modules were compiled, bytes, waits, time saved; and `requireHit`.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheError, type Engine, hostEngine, ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { openContext } from "../src/context.ts";
import { decodeHeader, HEADER_BYTES } from "../src/disk/entry.ts";
import { runAsync, runSync } from "../src/effect.ts";
import { lookup } from "../src/lookup.ts";
import { detectPlatform } from "../src/platform/detect.ts";
import { bothWays, bytes, EMPTY_MODULE, inDirectory, onlyEntry, text, TextEngine, type TextModule } from "./_tools.ts";

const opened = (directory: string, options: ModuleCacheOptions<TextModule> = {}) =>
  new ModuleCache({ engine: new TextEngine(), directory, onWarning: () => {}, ...options });

/** The reasons that were counted. */
function missesOf(cache: ModuleCache<TextModule>): Record<string, number> {
  return Object.fromEntries(Object.entries(cache.stats().misses).filter(([, count]) => count > 0));
}

bothWays("misses are counted by their reason", (resolve) =>
  inDirectory(async (directory) => {
    const absent = opened(directory);
    await resolve(absent, bytes("a"));
    await resolve(absent, bytes("a"));
    assertEquals(missesOf(absent), { absent: 1 });

    const hit = opened(directory);
    await resolve(hit, bytes("a"));
    assertEquals(missesOf(hit), {});

    const rejecting = opened(directory, { engine: Object.assign(new TextEngine(), { deserialize: () => undefined }) });
    await resolve(rejecting, bytes("a"));
    assertEquals(missesOf(rejecting), { rejected: 1 });

    const path = onlyEntry(directory);
    writeFileSync(path, readFileSync(path).fill(0));
    const damaged = opened(directory);
    await resolve(damaged, bytes("a"));
    assertEquals(missesOf(damaged), { damaged: 1 });

    const off = new ModuleCache({ engine: new TextEngine() });
    await resolve(off, bytes("a"));
    assertEquals(missesOf(off), { off: 1 });

    writeFileSync(`${directory}/file`, "");
    const unreadable = opened(`${directory}/${"x".repeat(5000)}`);
    await resolve(unreadable, bytes("a"));
    assertEquals(missesOf(unreadable), { unreadable: 1 });
  }));

bothWays("bytes of entries are counted as they are read and written", (resolve) =>
  inDirectory(async (directory) => {
    const writer = opened(directory);
    await resolve(writer, bytes("a"));
    const { size } = statSync(onlyEntry(directory));
    const reader = opened(directory);
    await resolve(reader, bytes("a"));
    await resolve(reader, bytes("a"));
    assertEquals([writer.stats().bytesRead, writer.stats().bytesWritten], [0, size]);
    assertEquals([reader.stats().bytesRead, reader.stats().bytesWritten], [size, 0]);

    // A copy of code at hand is not read back.
    const host = new ModuleCache({ directory: `${directory}/host` });
    await resolve(host, EMPTY_MODULE);
    await host.flush();
    const again = new ModuleCache({ directory: `${directory}/host` });
    await resolve(again, EMPTY_MODULE);
    assertEquals([host.stats().bytesWritten - EMPTY_MODULE.length > HEADER_BYTES, again.stats().bytesRead], [
      true,
      HEADER_BYTES,
    ]);
  }));

for (const isSync of [false, true]) {
  test(`an entry says what its compile took, and hits count what they save, ${isSync ? "sync" : "async"}`, async () => {
    await inDirectory(async (directory) => {
      let nowMs = 0;
      const platform = { ...detectPlatform(), clock: () => nowMs };
      const engine: Engine<TextModule> = Object.assign(new TextEngine(), {
        compile: (code: Uint8Array) => (nowMs += 250, { text: text(code) }),
        deserialize: () => (nowMs += 50, { text: "a" }),
      });
      const open = () => openContext({ engine, directory, strict: true }, platform);
      const look = (context: ReturnType<typeof open>) =>
        isSync ? runSync(lookup(context, bytes("a"))) : runAsync(lookup(context, bytes("a")));
      const first = open();
      await look(first);
      const entry = new Uint8Array(readFileSync(onlyEntry(directory)));
      const header = decodeHeader(entry.slice(-HEADER_BYTES), entry.length);
      assert(typeof header !== "string");
      assertStrictEquals(header.compileMs, 250);
      assertStrictEquals(text(entry.subarray(header.payloadLength, header.payloadLength + header.idLength)), "text-1");
      assertStrictEquals(first.counters.savedMs, 0);
      await look(first);
      assertStrictEquals(first.counters.savedMs, 250);
      const second = open();
      await look(second);
      assertStrictEquals(second.counters.savedMs, 200);
      await look(second);
      assertStrictEquals(second.counters.savedMs, 450);
    });
  });
}

test("a hit that compiles all the same saves nothing", async () => {
  await inDirectory(async (directory) => {
    const first = new ModuleCache({ directory });
    await first.resolve(EMPTY_MODULE);
    await first.flush();
    const second = new ModuleCache({ directory });
    const { from } = await second.resolve(EMPTY_MODULE);
    assertEquals([from, second.stats().savedMs], ["disk", 0]);
  });
});

test("stats gives a copy", () => {
  const cache = new ModuleCache({ engine: new TextEngine() });
  cache.stats().misses.off = 7;
  assertStrictEquals(cache.stats().misses.off, 0);
});

bothWays("requireHit compiles nothing, and says why there was no hit", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    const cache = opened(directory, { engine, requireHit: true });
    const missing = await assertRejects(() => resolve(cache, bytes("a")), CacheError, "no entry");
    assertStrictEquals(missing.code, "MISS");
    assertEquals([engine.compiles, cache.stats().locks, missesOf(cache)], [0, 0, { absent: 1 }]);

    await resolve(opened(directory), bytes("a"));
    assertStrictEquals((await resolve(cache, bytes("a"))).from, "disk");
    assertStrictEquals((await resolve(cache, bytes("a"))).from, "memory");

    const off = new ModuleCache({ engine, requireHit: true });
    await assertRejects(() => resolve(off, bytes("a")), CacheError, "no directory");
    assertStrictEquals(engine.compiles, 0);
  }));

bothWays(
  "requireHit with the host's engine takes code whose copy is there, and no other",
  (resolve) =>
    inDirectory(async (directory) => {
      const host = hostEngine();
      let compiles = 0;
      const compile = (code: Uint8Array<ArrayBuffer>) => (compiles++, host.compileSync!(code));
      const engine = { ...host, compile, compileSync: compile, deserialize: compile, deserializeSync: compile };
      const cache = new ModuleCache({ engine, directory, requireHit: true, onWarning: () => {} });
      await assertRejects(() => resolve(cache, EMPTY_MODULE), CacheError, "no entry");
      assertStrictEquals(compiles, 0);
      const writer = new ModuleCache({ directory });
      await resolve(writer, EMPTY_MODULE);
      await writer.flush();
      assertStrictEquals((await resolve(cache, EMPTY_MODULE)).from, "disk");
      assertStrictEquals(compiles, 1);
    }),
);

test("requireHit does not compile a response while it arrives", async () => {
  const cache = new ModuleCache({ requireHit: true });
  // Compiled, it would be a CompileError.
  const response = new Response(bytes("no module"), { headers: { "content-type": "application/wasm" } });
  const error = await assertRejects(() => cache.compileStreaming(response), CacheError);
  assertStrictEquals(error.code, "MISS");
  assertThrows(() => new ModuleCache({ requireHit: 1 as unknown as boolean }), TypeError, "requireHit");
});

test("waiting for a lock is counted", async () => {
  await inDirectory(async (directory) => {
    const { tryLock } = detectPlatform().files!;
    if (!tryLock) return;
    const cache = opened(directory, { lockTimeoutMs: 60 });
    const { key } = await cache.resolve(bytes("a"));
    await cache.delete(bytes("a"));
    assertEquals([cache.stats().lockWaits, cache.stats().lockWaitMs], [0, 0]);
    mkdirSync(`${directory}/v1/locks`, { recursive: true });
    const lock = tryLock(`${directory}/v1/locks/${key.slice(0, 2)}`).sync()!;
    await cache.resolve(bytes("a"));
    lock.release();
    const { lockTimeouts, lockWaitMs, lockWaits } = cache.stats();
    assertEquals([lockTimeouts, lockWaits, lockWaitMs > 10], [1, 1, true]);
  });
});
