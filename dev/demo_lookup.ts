// One process of the demo: looks a module up that Binaryen optimizes, and prints where it came from.
// Arguments: directory, path of the code.

import { readFileSync } from "node:fs";
import process from "node:process";
import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
import { binaryenOptimizer } from "@wasm/module-cache/binaryen";

const [directory = "", path = ""] = process.argv.slice(2);
const engine = prepared(hostEngine(), binaryenOptimizer({ optimizeLevel: 2 }));
const cache = new ModuleCache({ engine, directory, strict: true });
const { from, module } = await cache.resolve(new Uint8Array(readFileSync(path)));
if (!(module instanceof WebAssembly.Module)) throw new Error("gave something else than a module");
console.log(`from ${from}`);
