/**
 * An engine for Deno, Bun and Node 26 that stores Wasmtime's machine code and maps it from its file, with fuel,
 * deadlines and limits for code that is not trusted.
 *
 * @example Stop an endless loop
 * ```ts
 * import { ModuleCache } from "@wasm/module-cache";
 * import { wasmtime } from "@wasm/module-cache/wasmtime";
 *
 * if (wasmtime.available().available) {
 *   const engine = wasmtime({ deadlines: true });
 *   const cache = new ModuleCache({ engine });
 *   // (module (func (export "spin") (loop (br 0))))
 *   const code = Uint8Array.fromBase64("AGFzbQEAAAABBAFgAAADAgEABwgBBHNwaW4AAAoJAQcAA0AMAAsL");
 *   const { exports } = engine.instantiate(await cache.compile(code), {}, { deadlineMs: 50 });
 *   try {
 *     exports.spin();
 *   } catch (error) {
 *     if ((error as { code?: string }).code !== "DEADLINE") throw error;
 *   }
 * }
 * ```
 *
 * @module
 */

export { type NativeEngine, wasmtime, type WasmtimeAvailability, type WasmtimeFactory } from "./src/wasmtime/engine.ts";
export type { NativeGlobal, NativeGlobalClass } from "./src/wasmtime/global.ts";
export type { NativeMemory, NativeMemoryClass } from "./src/wasmtime/memory.ts";
export { type NativeExport, type NativeImport, NativeModule } from "./src/wasmtime/module.ts";
export type { InstanceOptions, WasmtimeOptions } from "./src/wasmtime/options.ts";
export { NativeInstance } from "./src/wasmtime/space.ts";
export type { NativeTable, NativeTableClass } from "./src/wasmtime/table.ts";
export type { Trap, TrapCode } from "./src/wasmtime/traps.ts";
// What makes these programs part of the package, for nothing else names their files so that tools see them.
import type {} from "./src/wasmtime/compiler_main.ts";
import type {} from "./src/wasmtime/ticker_main.ts";
