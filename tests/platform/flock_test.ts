// What the answers of flock(2) mean, with C functions of our own; and that a lock does not outlive the thread that holds it.

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ModuleCache } from "@wasm/module-cache";
import { openSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { systemCode } from "../../src/errors.ts";
import { flock } from "../../src/platform/flock.ts";
import { bytes, inDirectory, ROOT, TextEngine } from "../_tools.ts";

const LOCK_SH = 1;

/** Locks a file whose lock is refused with an errno, on a file system that has locks or not. */
function locking(directory: string, errno: number, hasLocks: boolean): () => boolean {
  const lock = flock(() => ({
    flock: (_descriptor, operation) => (operation & LOCK_SH) !== 0 && hasLocks ? 0 : -1,
    errno: () => errno,
  }));
  const path = `${directory}/lock`;
  const descriptor = openSync(path, "a");
  return () => lock!(descriptor, path);
}

test("a refused lock is held elsewhere, or the file system has none", async () => {
  if (process.platform === "win32") return;
  await inDirectory((directory) => {
    for (const wouldBlock of [11, 35]) assertStrictEquals(locking(directory, wouldBlock, true)(), false);
    for (const other of [37, 95]) {
      const error = assertThrows(locking(directory, other, true));
      assertEquals(systemCode(error), "ENOLCK");
    }
    // Where errno cannot be read, the directory tells.
    assertStrictEquals(locking(directory, 0, true)(), false);
    assertStrictEquals(systemCode(assertThrows(locking(directory, 0, false))), "ENOLCK");
  });
});

test("a library is looked for under both its names", () => {
  if (process.platform !== "linux") return;
  const tried: string[] = [];
  const lock = flock((library) => {
    tried.push(library);
    if (tried.length === 1) throw new Error("no glibc");
    return { flock: () => 0, errno: () => 0 };
  });
  assertEquals([lock!(0, "/none/lock"), lock!(0, "/none/lock")], [true, true]);
  assertEquals([tried.length, tried[0], tried[1]!.startsWith("libc.musl-")], [2, "libc.so.6", true]);
});

for (const isBusy of [false, true]) {
  const state = isBusy ? "works" : "waits";
  // Deno does not end a worker that is busy: it goes on, and rightly holds its lock.
  const skip = isBusy && "Deno" in globalThis;

  test(
    `a worker that is terminated while it ${state} leaves no lock`,
    { timeout: 60_000, skip },
    () =>
      inDirectory(async (directory) => {
        const engine = new TextEngine("slow");
        // More than one: each could be held by another descriptor.
        for (const code of ["one", "two", "three"].map(bytes)) {
          const workerData = { directory, code, isBusy };
          const worker = new Worker(new URL(`file://${ROOT}/tests/_lock_holder.mjs`), { workerData });
          await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
          await worker.terminate();
          // Strict: a lock that is held for longer than this is an error.
          const cache = new ModuleCache({ directory, engine, strict: true, lockTimeoutMs: 3_000 });
          assertStrictEquals((await cache.resolve(code)).from, "compiled");
          assertStrictEquals(cache.stats().lockTimeouts, 0);
        }
      }),
  );
}
