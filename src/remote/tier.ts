// The remote port: a store of entries that machines share. Types only; anyone can implement it.

import type { Bytes } from "../platform/platform.ts";

/** Options of every call to a {@linkcode RemoteTier}. */
export interface RemoteOptions {
  /** Aborted when the cache waits no longer; its reason is a `TimeoutError`. */
  readonly signal: AbortSignal;
}

/** Options of {@linkcode RemoteTier.get}. */
export interface RemoteGetOptions extends RemoteOptions {
  /** Longer entries are not used, bytes: reading may stop there, and fail. */
  readonly maxBytes?: number;
}

/**
 * A store of entries behind the directory, which machines share: any store of bytes by name.
 *
 * An entry is opaque to it. The cache checks what it gets, so a store may lose entries, or return damaged ones. A call
 * that fails rejects; a cache takes that for a miss. Each call is bounded in time, and of failing stores most calls are
 * left out.
 *
 * @example A store for tests
 * ```ts
 * import { ModuleCache, type RemoteTier } from "@wasm/module-cache";
 *
 * const entries = new Map<string, Uint8Array>();
 * const remote: RemoteTier = {
 *   get: (key) => Promise.resolve(entries.get(key)),
 *   put: (key, entry) => Promise.resolve(void entries.set(key, entry)),
 * };
 * const cache = new ModuleCache({ remote });
 * console.log(cache.stats().remoteHits); // 0
 * ```
 */
export interface RemoteTier {
  /**
   * Returns an entry.
   *
   * @param key Name of the entry, 64 hexadecimal digits.
   * @returns The entry as it was put; `undefined` if there is none.
   */
  get(key: string, options: RemoteGetOptions): Promise<Uint8Array | undefined>;

  /**
   * Stores an entry, over an earlier one of the same name.
   *
   * @param entry The whole entry; may be kept.
   */
  put(key: string, entry: Bytes, options: RemoteOptions): Promise<void>;

  /**
   * Whether there is an entry, without sending it. Asked before an entry is put that may be there already: after a
   * synchronous lookup, and for what `warm` finds in the directory, which is not put without it.
   */
  has?(key: string, options: RemoteOptions): Promise<boolean>;

  /** Removes an entry, if there is one. {@linkcode ModuleCache.delete} calls it. */
  delete?(key: string, options: RemoteOptions): Promise<void>;
}
