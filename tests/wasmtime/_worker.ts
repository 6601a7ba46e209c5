// A worker that runs WebAssembly by Wasmtime, and tells what came of it.

import { parentPort, workerData } from "node:worker_threads";
import { codeOf, engineWith, trapOf } from "./_engine.ts";

const engine = engineWith({ library: workerData, deadlines: true });
const code = await codeOf(`(module (memory 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "spin") (loop (br 0)))
  (func $r (export "recurse") (call $r))
  (func (export "load") (drop (i32.load (i32.const -4)))))`);
const { exports } = engine.instantiate(await engine.compile(code), {}, { deadlineMs: 30 });
const traps = ["spin", "recurse", "load"].map((name) => trapOf(exports[name]));
parentPort!.postMessage([exports.add(40, 2), ...traps]);
