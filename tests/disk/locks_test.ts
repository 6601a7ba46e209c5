// The locks of a directory: who waits for whom, how long, and who shares.

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { Directory } from "../../src/disk/directory.ts";
import { Locks } from "../../src/disk/locks.ts";
import { immediate, type Operation, runAsync, runSync } from "../../src/effect.ts";
import { CacheError, systemCode } from "../../src/errors.ts";
import type { Files, Lock, Platform } from "../../src/platform/platform.ts";
import { webPlatform } from "../../src/platform/web.ts";
import { MemoryFiles, memoryPlatform } from "../_memory_platform.ts";

/** Caches of one directory in memory, and a clock that goes on while they wait. */
class World {
  readonly files = new MemoryFiles();
  readonly pauses: number[] = [];
  nowMs = 0;
  /** What happens while somebody waits. */
  onPause: () => void = () => {};
  clock: () => number = () => this.nowMs;

  open({ timeoutMs = 100, path = "/cache", change = {} }: { timeoutMs?: number; path?: string; change?: object } = {}) {
    const pause = (delayMs: number) => {
      const wait = () => {
        this.pauses.push(delayMs);
        this.nowMs += delayMs;
        this.onPause();
        return true;
      };
      return { name: "pause", sync: () => false, async: wait };
    };
    const files: Files = Object.assign(Object.create(this.files), { tryLock: this.files.tryLock }, change);
    const platform: Platform = { ...memoryPlatform(this.files, webPlatform.sha256), clock: () => this.clock(), pause };
    return new Locks(platform, files, new Directory(files, { path, readOnly: false }), timeoutMs);
  }

  isFree(stripe: string): boolean {
    const lock = runSync(this.open({ timeoutMs: 0 }).lock(stripe));
    lock?.release();
    return lock !== undefined;
  }
}

const runs: [string, <T>(operation: Operation<T>) => Promise<T>][] = [
  ["async", (operation) => runAsync(operation)],
  // deno-lint-ignore require-await -- what throws at once must reject here
  ["sync", async (operation) => runSync(operation)],
];

for (const [way, run] of runs) {
  test(`a lock is taken, makes the directory, and is given back, ${way}`, async () => {
    const world = new World();
    const lock = (await run(world.open().lock("00")))!;
    assertStrictEquals(world.files.content.has("/cache/v1/locks/00"), true);
    assertEquals([world.isFree("00"), world.isFree("01")], [false, true]);
    lock.release();
    assertEquals([world.isFree("00"), world.files.isUnlocked], [true, true]);
  });

  test(`a cache shares a lock that it holds, and the last user gives it back, ${way}`, async () => {
    const world = new World();
    const locks = world.open();
    const users = [await run(locks.lock("00")), await run(locks.lock("00")), await run(locks.tryLock("00"))] as Lock[];
    assertEquals(world.pauses, []);
    for (const user of users) {
      assertStrictEquals(world.isFree("00"), false);
      user.release();
    }
    assertStrictEquals(world.isFree("00"), true);
    (await run(locks.lock("00")))!.release();
    assertStrictEquals(world.isFree("00"), true);
  });

  test(`to try for a lock waits for nothing and makes nothing, ${way}`, async () => {
    const world = new World();
    // It is gone without, for it only saves work.
    (await run(world.open().tryLock("prune")))!.release();
    assertStrictEquals(world.files.directories.has("/cache"), false);
    const holder = (await run(world.open().lock("prune")))!;
    assertStrictEquals(await run(world.open().tryLock("prune")), undefined);
    holder.release();
    const lock = (await run(world.open().tryLock("prune")))!;
    assertStrictEquals(world.isFree("prune"), false);
    lock.release();
    assertEquals(world.pauses, []);
  });

  test(`a lock that cannot be taken is a fault, and the next try is as good as the first, ${way}`, async () => {
    const world = new World();
    let isBroken = true;
    const tryLock = (path: string) => {
      const failing = immediate("lock", () => {
        throw Object.assign(new Error("no"), { code: "ENOLCK" });
      });
      return isBroken ? failing : world.files.tryLock!(path);
    };
    const locks = world.open({ change: { tryLock } });
    for (let i = 0; i < 40; i++) {
      const error = await assertRejects(() => run(locks.lock("00")), CacheError);
      assertEquals([error.code, systemCode(error.cause)], ["IO", "ENOLCK"]);
    }
    isBroken = false;
    assertStrictEquals(await run(locks.lock("00")) !== undefined, true);
  });

  test(`a platform without locks has nobody wait, ${way}`, async () => {
    const locks = new World().open({ change: { tryLock: undefined } });
    assertStrictEquals(await run(locks.lock("00")), undefined);
    (await run(locks.tryLock("00")))!.release();
  });

  test(`a lock whose release fails is given up all the same, ${way}`, async () => {
    const world = new World();
    const release = () => {
      throw new Error("close failed");
    };
    const locks = world.open({ change: { tryLock: () => immediate("lock", () => ({ release })) } });
    for (let i = 0; i < 2; i++) (await run(locks.lock("00")))!.release();
  });
}

test("a synchronous run does not wait for a lock", () => {
  const world = new World();
  runSync(world.open().lock("00"));
  assertEquals([runSync(world.open().lock("00")), world.pauses], [undefined, []]);
});

test("a lock is waited for, at first often, later every 20 ms", async () => {
  const world = new World();
  const holder = runSync(world.open().lock("00"))!;
  world.onPause = () => world.nowMs >= 80 && holder.release();
  const lock = await runAsync(world.open().lock("00"));
  assertStrictEquals(lock !== undefined, true);
  assertEquals(world.pauses, [1, 2, 4, 8, 16, 20, 20, 20]);
});

test("a lock that is held for too long is a fault of its own, also where the clock stands still or jumps", async () => {
  // To the ms as well.
  for (const [timeoutMs, pauses] of [[100, 9], [91, 8]] as const) {
    for (const clock of [undefined, () => 0]) {
      const world = new World();
      runSync(world.open().lock("00"));
      if (clock) world.clock = clock;
      const error = await assertRejects(() => runAsync(world.open({ timeoutMs }).lock("00")), CacheError);
      assertEquals([error.code, error.path], ["LOCK_TIMEOUT", "/cache/v1/locks/00"]);
      assertEquals(world.pauses, [1, 2, 4, 8, 16, 20, 20, 20, 20].slice(0, pauses));
    }
  }
  const world = new World();
  runSync(world.open().lock("00"));
  // The machine slept: what was waited for is over, but for a last try.
  world.onPause = () => world.nowMs += 1000;
  await assertRejects(() => runAsync(world.open({ timeoutMs: 100 }).lock("00")), CacheError);
  assertEquals(world.pauses, [1]);
});

test("a lock that is free again after the last wait is taken", async () => {
  const world = new World();
  const holder = runSync(world.open().lock("00"))!;
  world.onPause = () => world.nowMs >= 100 && holder.release();
  assertStrictEquals(await runAsync(world.open({ timeoutMs: 100 }).lock("00")) !== undefined, true);
});

test("a cache holds 32 locks at most; who needs another waits, and then goes without", async () => {
  const world = new World();
  const locks = world.open();
  const held = Array.from({ length: 32 }, (_, i) => runSync(locks.lock(String(i)))!);
  assertEquals([await runAsync(locks.lock("32")), world.isFree("32")], [undefined, true]);
  // One that is held already needs no descriptor.
  assertStrictEquals(await runAsync(locks.lock("0")) !== undefined, true);
  const waiting = world.pauses.length;
  world.onPause = () => world.pauses.length === waiting + 3 && held[1]!.release();
  assertStrictEquals(await runAsync(locks.lock("32")) !== undefined, true);
  assertEquals([world.isFree("1"), world.isFree("32")], [true, false]);
});
