// Program of the worker that ticks. Never imported.

import { detectFfi } from "../ffi/detect.ts";
import { nodeProcess } from "../platform/node_builtins.ts";
import { CELLS, type TickerData } from "./ticker.ts";

const { workerData } = nodeProcess().getBuiltinModule("node:worker_threads") as typeof import("node:worker_threads");
const { cells: buffer, engine, path, tickMs } = workerData as TickerData;
const cells = new Int32Array(buffer);
const ffi = detectFfi()!;
const { wasmtime_engine_increment_epoch } = ffi.open(path, { wasmtime_engine_increment_epoch: ["void", "address"] });
const address = ffi.address(engine);
Atomics.store(cells, CELLS.ready, 1);
Atomics.notify(cells, CELLS.ready);
for (;;) {
  // Sleeps while no call with a deadline runs.
  Atomics.wait(cells, CELLS.calls, 0);
  Atomics.wait(cells, CELLS.never, 0, tickMs);
  wasmtime_engine_increment_epoch(address);
}
