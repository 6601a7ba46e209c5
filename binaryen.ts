/**
 * [Binaryen](https://github.com/WebAssembly/binaryen)'s optimizer in front of a module cache: runs once, and its output
 * is stored.
 *
 * @example Optimize once
 * ```ts
 * import { defaultDirectory, hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
 * import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
 *
 * const engine = prepared(hostEngine(), binaryenOptimizer({ optimizeLevel: 3 }));
 * const cache = new ModuleCache({ engine, directory: defaultDirectory() });
 * const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
 * console.log((await cache.resolve(code)).from); // "compiled"
 * cache.clearMemory();
 * console.log((await cache.resolve(code)).from); // "disk"
 * ```
 *
 * @module
 */

export type { PrepareStep } from "./src/engine/prepared.ts";
export { binaryenOptimizer, type BinaryenOptions, type BinaryenProgress } from "./src/steps/binaryen.ts";
export type { BinaryenFeature } from "./src/steps/features.ts";
export { binaryenWorker, type BinaryenWorkerOptions } from "./src/steps/optimize_jobs.ts";
export type { BinaryenPhase } from "./src/steps/optimize.ts";
