// Stores for tests: one in memory that tells what was asked of it, and what machines do with a store.

import {
  CacheError,
  type CacheWarning,
  ModuleCache,
  type ModuleCacheOptions,
  type RemoteTier,
} from "@wasm/module-cache";
import { TextEngine, type TextModule } from "../_tools.ts";

/** A store in memory, and the calls it got. */
export class MemoryStore implements RemoteTier {
  /** The entries. */
  readonly entries: Map<string, Uint8Array> = new Map();
  /** Names of the calls, in their order. */
  readonly calls: string[] = [];

  get(key: string): Promise<Uint8Array | undefined> {
    this.calls.push("get");
    return Promise.resolve(this.entries.get(key));
  }

  put(key: string, entry: Uint8Array): Promise<void> {
    this.calls.push("put");
    this.entries.set(key, entry);
    return Promise.resolve();
  }

  has(key: string): Promise<boolean> {
    this.calls.push("has");
    return Promise.resolve(this.entries.has(key));
  }

  delete(key: string): Promise<void> {
    this.calls.push("delete");
    this.entries.delete(key);
    return Promise.resolve();
  }
}

/** A cache of its own machine, with the engine that counts and the warnings that were given. */
export interface Machine {
  readonly cache: ModuleCache<TextModule>;
  readonly engine: TextEngine;
  readonly warnings: CacheWarning[];
}

/** A machine; without a directory unless one is given. */
export function machine(remote: RemoteTier, options: ModuleCacheOptions<TextModule> = {}): Machine {
  const engine = options.engine instanceof TextEngine ? options.engine : new TextEngine();
  const warnings: CacheWarning[] = [];
  const onWarning = (warning: CacheWarning) => void warnings.push(warning);
  return { cache: new ModuleCache<TextModule>({ onWarning, ...options, engine, remote }), engine, warnings };
}

/** Whether a thrown value is the fault of a remote. */
export function isRemoteFault(error: unknown): boolean {
  return error instanceof CacheError && error.code === "REMOTE";
}
