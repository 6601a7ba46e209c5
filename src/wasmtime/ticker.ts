// Lets time pass for calls with a deadline: a worker, one for each thread that uses deadlines, that ticks only while
// such a call runs, and keeps no process alive.

import type { Address } from "../ffi/ffi.ts";
import { nodeProcess } from "../platform/node_builtins.ts";
import type { Clock } from "./store.ts";

/** What the worker needs. */
export interface TickerData {
  /** Cells that both threads see, by {@linkcode CELLS}. */
  readonly cells: SharedArrayBuffer;
  /** Path of the library. */
  readonly path: string;
  /** Addresses of the engines whose time passes. */
  readonly engine: Address;
  /** How long a tick takes, ms. */
  readonly tickMs: number;
}

/** What the cells are: whether the worker is ready, how many calls run, and one to wait on. */
export const CELLS = { ready: 0, calls: 1, never: 2 } as const;

/** How long a tick takes, ms, and how long to wait for the worker: on a busy machine it needs seconds. */
const [TICK_MS, START_MS] = [10, 15_000];

/**
 * Starts a ticker, and waits until it is ready: the first call may be an endless loop.
 *
 * @throws {Error} When no worker can be started.
 */
export function startTicker(path: string, engine: Address): Clock {
  const cells = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  const { Worker } = nodeProcess().getBuiltinModule("node:worker_threads") as typeof import("node:worker_threads");
  const workerData: TickerData = { cells: cells.buffer, path, engine, tickMs: TICK_MS };
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const worker = new Worker(new URL(`./ticker_main.${ending}`, import.meta.url), { workerData });
  worker.unref();
  // Without the worker there is no deadline; the call below says so.
  worker.on("error", () => {});
  if (Atomics.wait(cells, CELLS.ready, 0, START_MS) === "timed-out") {
    throw new Error("Cannot use deadlines: the worker that ticks does not start");
  }
  return {
    tickMs: TICK_MS,
    begin: () => {
      Atomics.add(cells, CELLS.calls, 1);
      Atomics.notify(cells, CELLS.calls);
    },
    end: () => void Atomics.sub(cells, CELLS.calls, 1),
  };
}
