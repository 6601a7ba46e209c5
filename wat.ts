/**
 * WebAssembly text as the input of a module cache, translated by [wabt](https://github.com/AssemblyScript/wabt.js).
 *
 * @example Compile text
 * ```ts
 * import { defaultDirectory, hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
 * import { wat } from "@wasm/module-cache/wat";
 *
 * const cache = new ModuleCache({ engine: prepared(hostEngine(), wat()), directory: defaultDirectory() });
 * const text = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))';
 * const module = await cache.compile(new TextEncoder().encode(text));
 * const { exports } = await WebAssembly.instantiate(module);
 * console.log((exports.add as (a: number, b: number) => number)(2, 3)); // 5
 * ```
 *
 * @module
 */

export type { PrepareStep } from "./src/engine/prepared.ts";
export { wat, WatError, type WatFeature, type WatOptions } from "./src/steps/wat.ts";
