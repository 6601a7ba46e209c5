/**
 * An engine for Node 22 to 25 that stores V8's optimized machine code. Elsewhere {@linkcode bestEngine} returns the
 * host engine.
 *
 * @example Start at full speed from the second process on
 * ```ts
 * import { defaultDirectory, ModuleCache } from "@wasm/module-cache";
 * import { bestEngine } from "@wasm/module-cache/v8";
 *
 * const cache = new ModuleCache({ engine: bestEngine(), directory: defaultDirectory() });
 * const module = await cache.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
 * console.log(module instanceof WebAssembly.Module); // true
 * ```
 *
 * @module
 */

export { bestEngine, v8Engine, type V8EngineFactory, type V8EngineOptions } from "./src/v8/engine.ts";
export type { V8Availability } from "./src/v8/identity.ts";
