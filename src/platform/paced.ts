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

/**
 * A call that an asynchronous run makes at once, if it may block.
 *
 * @param bytes How much it reads or writes.
 */
export type Paced = <T>(name: string, sync: () => T, async: () => Promise<T>, bytes?: number) => Effect<T>;

/** Calls of this process: all share what may block. */
export const paced: Paced = pacing(clock);

/** Calls by a clock, ms. */
export function pacing(clock: () => number): Paced {
  /** When the burst ends that blocks the loop now; `undefined` if there is none. */
  let burstEndMs: number | undefined;
  let pauseEndMs = -Infinity;
  /** Calls left to other threads that have not come back: until the first does, the loop may not have turned. */
  let waiting = 0;

  const mayBlock = () => {
    const nowMs = clock();
    const isIdle = waiting === 0 && nowMs > (burstEndMs ?? nowMs) + IDLE_MS;
    if (burstEndMs === undefined || isIdle) burstEndMs = nowMs + BURST_MS;
    return nowMs < burstEndMs && nowMs >= pauseEndMs;
  };
  const timed = <T>(call: () => T) => {
    const startMs = clock();
    try {
      return call();
    } finally {
      const tookMs = clock() - startMs;
      if (tookMs > BURST_MS) pauseEndMs = startMs + PAUSE * tookMs;
    }
  };
  const turned = <T>(call: Promise<T>) => {
    waiting++;
    const begin = () => {
      waiting--;
      burstEndMs = undefined;
    };
    call.then(begin, begin);
    return call;
  };
  return (name, sync, async, bytes = 0) => ({
    name,
    sync,
    async: () => bytes < LARGE_BYTES && mayBlock() ? timed(sync) : turned(async()),
  });
}
