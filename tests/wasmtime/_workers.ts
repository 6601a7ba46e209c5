// Runs WebAssembly by Wasmtime in three workers at once, and prints what they tell.

import process from "node:process";
import { Worker } from "node:worker_threads";

const [library] = process.argv.slice(2);
const answers = Array.from({ length: 3 }, () =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./_worker.ts", import.meta.url), { workerData: library });
    worker.on("message", resolve);
    worker.on("error", reject);
  }));
console.log(JSON.stringify(await Promise.all(answers)));
