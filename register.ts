/**
 * Puts a cache behind the `WebAssembly` calls of a whole program, by one import:
 *
 * ```sh
 * deno run --preload jsr:@wasm/module-cache/register app.ts
 * bun --preload @wasm/module-cache/register app.ts
 * node --import @wasm/module-cache/register app.js
 * ```
 *
 * Or make it the first import of a program or worker:
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
 * Environment variables: `WASM_CACHE_DIR` (the directory), `WASM_CACHE_ENGINE` (`auto`, `host`, `v8` or `wasmtime`),
 * `WASM_CACHE_MAX_BYTES` (limit of the directory), `WASM_CACHE_MIN_BYTES` (least length of code that is looked up),
 * `WASM_CACHE_READ_ONLY=1`, `WASM_CACHE_SECRET_FILE` (file with the secret that signs entries), `WASM_CACHE_STRICT=1`
 * (faults throw), `WASM_CACHE_LOG=trace` (a line for each lookup), `WASM_CACHE=off`.
 *
 * @module
 */

import { register } from "./src/register/register.ts";

export { register, unregister } from "./src/register/register.ts";

register();
