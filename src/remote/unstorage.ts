// A remote tier on any storage of unstorage: Redis, S3, Azure, Cloudflare, MongoDB and others.

import { describe, isBytes, viewOf } from "../bytes.ts";
import type { RemoteTier } from "./tier.ts";

/** What is used of an unstorage `Storage`; anything else that has these methods does as well. */
export interface RawStorage {
  /** Returns a value as it was set: bytes, in whatever form the driver has them; `null` if there is none. */
  getItemRaw(key: string): Promise<unknown>;
  /** Sets a value of bytes. */
  setItemRaw(key: string, value: Uint8Array): Promise<void>;
  /** Whether there is a value. */
  hasItem(key: string): Promise<boolean>;
  /** Removes a value. */
  removeItem(key: string): Promise<void>;
}

/**
 * Creates a remote tier on a storage of [unstorage](https://unstorage.unjs.io), which has a driver for most stores.
 * Entries are stored as raw values under their key; `prefixStorage` of unstorage puts a name before it.
 *
 * unstorage takes no signal: a call that takes too long is left to itself. Give its driver a limit of its own.
 *
 * @param storage The storage.
 * @throws {TypeError} When it is none.
 *
 * @example A storage, in memory here
 * ```ts
 * import { createStorage } from "unstorage";
 * import { storageRemote } from "@wasm/module-cache/remote/unstorage";
 *
 * const remote = storageRemote(createStorage());
 * console.log(await remote.has("0".repeat(64), { signal: AbortSignal.timeout(1000) })); // false
 * ```
 */
export function storageRemote(storage: RawStorage): Required<RemoteTier> {
  const given = Object(storage) as RawStorage;
  for (const member of ["getItemRaw", "setItemRaw", "hasItem", "removeItem"] as const) {
    if (typeof given[member] !== "function") throw new TypeError(`Cannot use storage: it has no ${member}`);
  }
  return {
    get: async (key) => {
      const value = await storage.getItemRaw(key);
      if (value === null || value === undefined) return undefined;
      if (isBytes(value)) return viewOf(value);
      throw new TypeError(`the storage gave ${describe(value)}, not bytes: its driver has no raw values`);
    },
    put: (key, entry) => storage.setItemRaw(key, entry),
    has: (key) => storage.hasItem(key),
    delete: (key) => storage.removeItem(key),
  };
}
