// Calls of the file system in asynchronous runs: made at once for as long as that blocks nobody. A local file system
// answers in microseconds, and to wait for another thread takes 50 (Bun) to 300 µs (Deno). Knows no files.

import type { Effect } from "../effect.ts";
import { clock } from "./globals.ts";

/** How long the event loop may stand still, ms: then calls are left to another thread, until the first has come back. */
const BURST_MS = 4;

/** After so long without a call the loop has turned, ms. */
const IDLE_MS = 20;

/** After a call that took longer than a burst, as in a slow file system, none is made at once for so many times that. */
const PAUSE = 20;

/** From this length on, reading and writing are left to other threads, bytes. */
const LARGE_BYTES = 256 * 1024;

let burstEndMs = -Infinity;
let pauseEndMs = -Infinity;

/**
 * A call that an asynchronous run makes at once, if it may block.
 *
 * @param bytes How much it reads or writes.
 */
export function paced<T>(name: string, sync: () => T, async: () => Promise<T>, bytes = 0): Effect<T> {
  return { name, sync, async: () => bytes < LARGE_BYTES && mayBlock() ? timed(sync) : turned(async()) };
}

function mayBlock(): boolean {
  const nowMs = clock();
  if (nowMs > burstEndMs + IDLE_MS) burstEndMs = nowMs + BURST_MS;
  return nowMs < burstEndMs && nowMs >= pauseEndMs;
}

function timed<T>(call: () => T): T {
  const startMs = clock();
  try {
    return call();
  } finally {
    const tookMs = clock() - startMs;
    if (tookMs > BURST_MS) pauseEndMs = startMs + PAUSE * tookMs;
  }
}

/** Begins another burst once the loop has turned. */
function turned<T>(waiting: Promise<T>): Promise<T> {
  const begin = () => void (burstEndMs = -Infinity);
  waiting.then(begin, begin);
  return waiting;
}
