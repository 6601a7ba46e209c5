// Calls of the file system in asynchronous runs: made at once for as long as that blocks nobody. A local file system
// answers in microseconds, and to wait for another thread takes 50 (Bun) to 300 µs (Deno). Knows no files.

import type { Effect } from "../effect.ts";
import { clock } from "./globals.ts";

/** How much of each window such calls may take, ms; the rest is for others. */
const SHARE_MS = 4;
const WINDOW_MS = 8;

/** After a call that took longer than the share, as in a slow file system, nothing blocks for so many times its time. */
const PAUSE = 20;

/** From this length on, reading and writing are left to other threads, bytes. */
const LARGE_BYTES = 256 * 1024;

let windowEndMs = -Infinity;
let takenMs = 0;

/**
 * A call that an asynchronous run makes at once, if it may block.
 *
 * @param bytes How much it reads or writes.
 */
export function paced<T>(name: string, sync: () => T, async: () => Promise<T>, bytes = 0): Effect<T> {
  return { name, sync, async: () => bytes < LARGE_BYTES && mayBlock() ? timed(sync) : async() };
}

function mayBlock(): boolean {
  const nowMs = clock();
  if (nowMs >= windowEndMs) [windowEndMs, takenMs] = [nowMs + WINDOW_MS, 0];
  return takenMs < SHARE_MS;
}

function timed<T>(call: () => T): T {
  const startMs = clock();
  try {
    return call();
  } finally {
    const tookMs = clock() - startMs;
    takenMs += tookMs;
    if (tookMs > SHARE_MS) windowEndMs = startMs + PAUSE * tookMs;
  }
}
