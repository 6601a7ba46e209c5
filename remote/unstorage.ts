/**
 * A remote tier for a module cache, on any storage of [unstorage](https://unstorage.unjs.io): Redis, S3, Azure,
 * Cloudflare KV and R2, Deno KV, MongoDB and others. This module does not load unstorage; you do.
 *
 * @example A cache with a storage behind it
 * ```ts
 * import { createStorage } from "unstorage";
 * import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
 * import { storageRemote } from "@wasm/module-cache/remote/unstorage";
 * import { wat } from "@wasm/module-cache/wat";
 *
 * // On a server, with the driver of a store: unstorage/drivers/redis, for example.
 * const remote = storageRemote(createStorage());
 * const cache = new ModuleCache({ engine: prepared(hostEngine(), wat()), remote });
 * await cache.resolve(new TextEncoder().encode("(module)"));
 * await cache.flush();
 * console.log(cache.stats().remoteBytesWritten > 0); // true
 * ```
 *
 * @module
 */

export { type RawStorage, storageRemote } from "../src/remote/unstorage.ts";
export type { RemoteGetOptions, RemoteOptions, RemoteTier } from "../src/remote/tier.ts";
