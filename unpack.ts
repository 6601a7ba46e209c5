/**
 * Takes code compressed with gzip, zstd or brotli: decompresses it once and stores the output.
 *
 * @example Load compressed code
 * ```ts
 * import { defaultDirectory, hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
 * import { unpack } from "@wasm/module-cache/unpack";
 *
 * const engine = prepared(hostEngine(), unpack({ maxBytes: 64 * 1024 * 1024 }));
 * const cache = new ModuleCache({ engine, directory: defaultDirectory() });
 * const url = "data:application/gzip;base64,H4sIAAAAAAAC/2NILM5lZGBgAADOM0scCAAAAA==";
 * const module = await cache.load(url, { type: "any" });
 * console.log(module instanceof WebAssembly.Module); // true
 * ```
 *
 * @module
 */

export type { PrepareStep } from "./src/engine/prepared.ts";
export { type PackedFormat, unpack, type UnpackOptions } from "./src/steps/unpack.ts";
