// Has a worker read and write what a path names, and ends by itself: `_optimize.ts code`.

import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
import { readFileSync } from "node:fs";
import process from "node:process";

const code = new Uint8Array(readFileSync(process.argv[2]!));
const output = await binaryenOptimizer({ optimizeLevel: 0 }).prepare(code);
console.log(WebAssembly.validate(new Uint8Array(output)));
