/**
 * One import that puts a cache behind the `WebAssembly` calls of a whole program.
 *
 * ```sh
 * deno run --preload jsr:@wasm/module-cache/register app.ts
 * bun --preload @wasm/module-cache/register app.ts
 * node --import @wasm/module-cache/register app.js
 * ```
 *
 * or as the first import of a program or worker:
 *
 * @example Compile through the cache
 * ```ts
 * import { unregister } from "@wasm/module-cache/register";
 *
 * const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
 * console.log(new WebAssembly.Module(code) instanceof WebAssembly.Module); // true
 * unregister();
 * ```
 *
 * Environment variables: `WASM_CACHE_DIR` (where entries are kept), `WASM_CACHE_ENGINE` (`auto`, `host`, `v8`),
 * `WASM_CACHE_MAX_BYTES` (of all entries), `WASM_CACHE_READ_ONLY=1`, `WASM_CACHE_SECRET_FILE` (what signs entries),
 * `WASM_CACHE_STRICT=1` (faults throw), `WASM_CACHE_LOG=trace` (a line for each lookup), `WASM_CACHE=off`.
 *
 * @module
 */

import { register } from "./src/register/register.ts";

export { register, unregister } from "./src/register/register.ts";

register();
