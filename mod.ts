/**
 * A module cache for WebAssembly on Deno, Bun and Node: compiles code once and returns the same module from memory
 * afterwards.
 *
 * A module comes from memory, from a directory of checked entries that processes and runtimes share, or from the
 * engine. With the default engine, {@linkcode hostEngine}, an entry holds the code, not compiled code: a new process
 * compiles again. `@wasm/module-cache/v8` stores machine code on Node 22 to 25, and {@linkcode prepared} the output of
 * a step before the compiler.
 *
 * @example Compile once
 * ```ts
 * import { defaultDirectory, ModuleCache } from "@wasm/module-cache";
 *
 * const cache = new ModuleCache({ directory: defaultDirectory() });
 * const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
 * const { module, from, elapsedMs } = await cache.resolve(code);
 * console.log(module instanceof WebAssembly.Module, from, elapsedMs);
 * ```
 *
 * @module
 */

export { type ClearOptions, ModuleCache, type PruneOptions, type ResolveOptions } from "./src/cache.ts";
export type { Code } from "./src/bytes.ts";
export type { Provenance, Resolved } from "./src/context.ts";
export type { CacheStats, Counters, MissReason } from "./src/counters.ts";
export type { EntryInfo, VerifyFinding, VerifyOptions, VerifyProgress, VerifyResult } from "./src/disk/inventory.ts";
export type { DiskStatus } from "./src/disk/directory.ts";
export type { Engine, EntryPlace } from "./src/engine/engine.ts";
export { hostEngine } from "./src/engine/host.ts";
export type { CompileOptions } from "./src/engine/runtime.ts";
export { prepared, type PrepareStep } from "./src/engine/prepared.ts";
export type {
  CacheDetails,
  CacheEventName,
  CacheEvents,
  EvictDetail,
  ListenerArguments,
  LookupDetail,
  StoreDetail,
} from "./src/events.ts";
export { CacheError, type CacheErrorCode, type CacheErrorOptions, type CacheWarning } from "./src/errors.ts";
export { get, getSync } from "./src/get.ts";
export type { Mode } from "./src/load/http.ts";
export type { LoadOptions } from "./src/load/loader.ts";
export type { ModuleCacheOptions } from "./src/options.ts";
export type { RemoteGetOptions, RemoteOptions, RemoteTier } from "./src/remote/tier.ts";
export { defaultDirectory } from "./src/platform/environment.ts";
export type { ResponseSource } from "./src/calls/namespace.ts";
export type { PruneResult } from "./src/disk/prune.ts";
export type { WarmOptions, WarmProgress } from "./src/calls/warm.ts";
