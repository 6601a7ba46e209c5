// Has a worker read and write what a path names, and ends by itself: `_optimize.ts code`. Prints whether the output is valid,
// and how many workers were terminated.

import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
import { readFileSync } from "node:fs";
import process from "node:process";
import * as threads from "node:worker_threads";

let terminated = 0;
for (const { prototype } of [threads.Worker, globalThis.Worker ?? threads.Worker]) {
  const { terminate } = prototype as unknown as { terminate(): unknown };
  Object.assign(prototype, {
    terminate(this: unknown) {
      terminated++;
      return terminate.call(this);
    },
  });
}
const code = new Uint8Array(readFileSync(process.argv[2]!));
const output = await binaryenOptimizer({ optimizeLevel: 0 }).prepare(code);
process.on("exit", () => console.log(WebAssembly.validate(new Uint8Array(output)), terminated));
