// A pool of workers that share one compiled module: compiled once, sent as a module, not as bytes.
//
//   deno run -A examples/worker_pool.ts plugin.wasm      bun examples/worker_pool.ts plugin.wasm

import { pathToFileURL } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import process from "node:process";
import { ModuleCache } from "@wasm/module-cache";

const WORKERS = 4;

if (isMainThread) {
  const [path = "plugin.wasm"] = process.argv.slice(2);
  const cache = new ModuleCache({ directory: "default" });
  const module = await cache.load(pathToFileURL(path));
  const workers = Array.from({ length: WORKERS }, () => new Worker(new URL(import.meta.url), { workerData: module }));
  const tasks = Array.from({ length: 100 }, (_, i) => i);
  const results: number[] = [];
  await Promise.all(workers.map(async (worker) => {
    for (let task; (task = tasks.shift()) !== undefined;) {
      const result = new Promise<number>((resolve) => worker.once("message", resolve));
      worker.postMessage(task);
      results.push(await result);
    }
    await worker.terminate();
  }));
  console.log(results.reduce((sum, result) => sum + result, 0), JSON.stringify(cache.stats()));
} else {
  const { exports } = new WebAssembly.Instance(workerData as WebAssembly.Module);
  const run = exports.run as (a: number, b: number) => number;
  parentPort!.on("message", (task: number) => parentPort!.postMessage(run(task, 1)));
}
