// Recurses in WebAssembly: at once, and where JavaScript has left as little of the stack as a call needs. In this
// thread and in a worker, whose stack is smaller.

import process from "node:process";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { codeOf, engineWith, trapOf } from "./_engine.ts";

const [library, bytes] = (workerData ?? process.argv.slice(2)) as [string, string];
const engine = engineWith({ library, maxWasmStackBytes: Number(bytes) });
const code = await codeOf(`(module (func $r (export "recurse") (param i32) (result i32)
  (i32.add (call $r (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))`);
const { exports } = engine.instantiate(await engine.compile(code));

let told: unknown;
function deep(): unknown {
  try {
    return deep();
  } catch (error) {
    // The deepest that leaves room for the call itself.
    if (typeof told !== "string") told = trapOf(() => exports.recurse(0));
    throw error;
  }
}

const traps = [trapOf(() => exports.recurse(0))];
try {
  deep();
} catch {
  traps.push(told);
}
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { workerData: [library, bytes] });
  worker.on("message", (answer) => console.log(JSON.stringify({ main: traps, worker: answer })));
} else parentPort!.postMessage(traps);
