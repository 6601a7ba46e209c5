// What the answers of flock(2) mean, with C functions of our own.

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { openSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { systemCode } from "../src/errors.ts";
import { flock } from "../src/platform/flock.ts";
import { inDirectory } from "./_tools.ts";

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
