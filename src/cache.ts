// ModuleCache: what a user holds. The tiers meet elsewhere: memory and flights in lookup.ts, disk and engine in obtain.ts.

import { type Code, describe, viewOf } from "./bytes.ts";
import { behind, type Context, openContext, type Resolved, type Storage } from "./context.ts";
import type { CacheStats } from "./counters.ts";
import type { DiskStatus } from "./disk/directory.ts";
import type { EntryInfo, Inventory, VerifyOptions, VerifyResult } from "./disk/inventory.ts";
import { runAsync, runSync } from "./effect.ts";
import type { CacheEventName, CacheEvents, ListenerArguments } from "./events.ts";
import type { CompileOptions } from "./engine/runtime.ts";
import { entryPath, folderIn } from "./disk/key.ts";
import type { Loader, LoadOptions } from "./load/loader.ts";
import { keyOf, lookup } from "./lookup.ts";
import { NOTHING_PRUNED, type PruneResult } from "./disk/prune.ts";
import { checkConcurrency, checkKey, digestOf, type ModuleCacheOptions, secretOf, sourceOf } from "./options.ts";
import {
  compile,
  compileStreaming,
  compileSync,
  instantiate,
  instantiateStreaming,
  type ResponseSource,
} from "./calls/namespace.ts";
import { resolveStreaming } from "./calls/streaming.ts";
import { warm, type WarmOptions } from "./calls/warm.ts";

/** Options of {@linkcode ModuleCache.resolve}. */
export interface ResolveOptions {
  /**
   * SHA-256 of the code: 64 hexadecimal digits, or the 32 bytes. Memory trusts it: if it holds a module under this
   * digest, a hit costs microseconds whatever the size of the code, and returns that module even if `code` is
   * different. Otherwise the code is hashed and must have this digest.
   */
  digest?: string | BufferSource;
}

/** Options of {@linkcode ModuleCache.prune}. */
export interface PruneOptions {
  /**
   * Removes nothing and reports what would be removed. Always so if the directory is read-only.
   *
   * @default {false}
   */
  dryRun?: boolean;
}

/** Options of {@linkcode ModuleCache.clear}. */
export interface ClearOptions {
  /**
   * Removes the entries of other engines too.
   *
   * @default {false}
   */
  allEngines?: boolean;
}

/**
 * Compiles code once, and afterwards returns its module from memory or from a directory that processes and runtimes
 * share. What an entry in the directory saves depends on the engine: see {@linkcode hostEngine}.
 *
 * A fault of the cache is a miss and one warning, unless `strict` is set. An error of the engine reaches the caller
 * untouched and is not cached.
 *
 * @typeParam M Type of a compiled module.
 *
 * @example Compile, then get the same module from memory
 * ```ts
 * import { ModuleCache } from "@wasm/module-cache";
 *
 * const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
 * const cache = new ModuleCache();
 * const first = await cache.resolve(code);
 * const again = await cache.resolve(code);
 * console.log(first.from, again.from, again.module === first.module); // "compiled" "memory" true
 * ```
 */
export class ModuleCache<M = WebAssembly.Module> extends EventTarget {
  readonly #context: Context<M>;
  #loading: Promise<Loader<M>> | undefined;

  /**
   * Creates a cache. Touches no file yet.
   *
   * @param options Engine, directory and limits.
   * @throws {TypeError | RangeError} When an option is invalid. What the environment lacks is no error:
   * {@linkcode ModuleCache.status} reports it.
   */
  constructor(options: ModuleCacheOptions<M> = {}) {
    super();
    if (typeof options !== "object" || options === null) {
      throw new TypeError(`Cannot make cache: its options must be an object, not ${describe(options)}`);
    }
    this.#context = openContext(options);
  }

  /**
   * Listens to an event of {@linkcode CacheEvents}: `"lookup"`, `"store"`, `"evict"` or `"warning"`. What a listener
   * throws goes where the runtime reports it, not to the lookup. On Node and Bun the details are also published on the
   * channels `wasm-module-cache:lookup` and so on of `node:diagnostics_channel`, for all caches of the process.
   *
   * @param type Name of the event.
   * @param listener Gets the event, which has the facts in `detail`.
   * @param options As of `EventTarget`.
   */
  override addEventListener<K extends CacheEventName>(
    type: K,
    listener: ((event: CacheEvents[K]) => void) | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** For other names, which a cache does not use. */
  override addEventListener(type: string, ...given: ListenerArguments): void;
  /** As above. */
  override addEventListener(type: string, ...given: ListenerArguments): void {
    this.#context.teller.listen(this);
    super.addEventListener(type, ...given);
  }

  /** Removes a listener that {@linkcode ModuleCache.addEventListener} has added. */
  override removeEventListener<K extends CacheEventName>(
    type: K,
    listener: ((event: CacheEvents[K]) => void) | null,
    options?: boolean | EventListenerOptions,
  ): void;
  /** For other names. */
  override removeEventListener(type: string, ...given: ListenerArguments): void;
  /** As above. */
  override removeEventListener(type: string, ...given: ListenerArguments): void {
    super.removeEventListener(type, ...given);
  }

  /**
   * Returns the module of the code, and where it came from.
   *
   * The code is copied before the first wait: later changes by the caller have no effect. Overlapping calls for the
   * same code share one compile. The entry has been written when the promise resolves, unless the engine stores the
   * code itself: then it is written in the background, see {@linkcode ModuleCache.flush}.
   *
   * @param code Bytes for the engine: any buffer, or any view of one.
   * @param options The digest of the code, if known.
   * @returns The module and its provenance.
   * @throws {TypeError} When `code` is not bytes, or `digest` is not its SHA-256.
   * @throws {CacheError} When the cache is strict and a fault occurs.
   * @throws The engine's own error when it rejects the code; for the host engine a `WebAssembly.CompileError`.
   */
  async resolve(code: Code, options: ResolveOptions = {}): Promise<Resolved<M>> {
    return await runAsync(lookup(this.#context, viewOf(code), { digest: digestOf(options?.digest) }));
  }

  /** Synchronous {@linkcode ModuleCache.resolve}: never waits, not even for a lock or for another call's compile. */
  resolveSync(code: Code, options: ResolveOptions = {}): Resolved<M> {
    return runSync(lookup(this.#context, viewOf(code), { digest: digestOf(options?.digest) }));
  }

  /**
   * Returns the module of the code, as `WebAssembly.compile` does.
   *
   * @param code Bytes for the engine.
   * @param options Compile options of the standard. A module compiled with them is not cached.
   * @returns The module; see {@linkcode ModuleCache.resolve}, also for errors.
   * @throws {TypeError} When the engine takes no options.
   */
  async compile(code: Code, options?: CompileOptions): Promise<M> {
    return await compile(this.#context, code, options);
  }

  /** Synchronous {@linkcode ModuleCache.compile}, as `new WebAssembly.Module` does. */
  compileSync(code: Code, options?: CompileOptions): M {
    return compileSync(this.#context, code, options);
  }

  /**
   * Returns the module of a response, as `WebAssembly.compileStreaming` does.
   *
   * If the engine stores the code itself, the first response of a URL is compiled while it arrives. Other responses are
   * received first and then looked up.
   *
   * @param source A response of type `application/wasm`, or a promise of one.
   * @param options As for {@linkcode ModuleCache.compile}.
   * @throws {TypeError} When it is not such a response, or its status is not a success.
   * @throws {RangeError} When the code is longer than {@linkcode ModuleCacheOptions.maxCodeBytes}.
   * @throws The body's own error; nothing is cached then.
   */
  async compileStreaming(source: ResponseSource, options?: CompileOptions): Promise<M> {
    return await compileStreaming(this.#context, source, options);
  }

  /**
   * Like {@linkcode ModuleCache.compileStreaming}; also returns where the module came from.
   *
   * @param source A response, as there; the errors are the same.
   */
  async resolveStreaming(source: ResponseSource): Promise<Resolved<M>> {
    return await resolveStreaming(this.#context, source);
  }

  /**
   * Instantiates as `WebAssembly.instantiate` does: bytes give a module and an instance, a module gives an instance.
   * Only for engines whose modules are `WebAssembly.Module` objects.
   *
   * @param source Bytes, or a module.
   * @param imports Values for the module's imports.
   * @param options As for {@linkcode ModuleCache.compile}.
   * @throws {TypeError} When an argument is invalid.
   * @throws {WebAssembly.LinkError} When the imports do not fit the module.
   */
  instantiate(
    source: Code,
    imports?: WebAssembly.Imports,
    options?: CompileOptions,
  ): Promise<WebAssembly.WebAssemblyInstantiatedSource>;
  /** From a module. */
  instantiate(source: WebAssembly.Module, imports?: WebAssembly.Imports): Promise<WebAssembly.Instance>;
  /** From bytes or a module. */
  async instantiate(
    source: Code | WebAssembly.Module,
    imports?: WebAssembly.Imports,
    options?: CompileOptions,
  ): Promise<WebAssembly.Instance | WebAssembly.WebAssemblyInstantiatedSource> {
    return await instantiate(this.#context, source, imports, options);
  }

  /** {@linkcode ModuleCache.compileStreaming}, then {@linkcode ModuleCache.instantiate}. */
  async instantiateStreaming(
    source: ResponseSource,
    imports?: WebAssembly.Imports,
    options?: CompileOptions,
  ): Promise<WebAssembly.WebAssemblyInstantiatedSource> {
    return await instantiateStreaming(this.#context, source, imports, options);
  }

  /**
   * Returns the module of a URL and stores its code in the directory, so that a later process needs no request.
   *
   * - `file:`: a file that has not changed since this process read it, going by its path, size, time and inode, is not
   *   read again.
   * - `http:`, `https:`: stored code is used as HTTP's caching rules allow, otherwise the server is asked whether it
   *   changed. If the server cannot be reached or fails, stored code is used with a warning, unless the server forbids
   *   it. The response must have the type `application/wasm`, unless `integrity` or `type` is given.
   * - `data:` and other URLs that `fetch` takes are fetched each time.
   *
   * @param url An absolute URL, as text or as an object.
   * @param options What the code must be, how to use stored code, and a signal.
   * @returns The module, as {@linkcode ModuleCache.resolve} returns it.
   * @throws {TypeError} When an argument is invalid, the network fails and nothing is stored, the response is not a
   * success or has another type, or the code does not match `integrity`. Nothing is stored then.
   * @throws {RangeError} When the code is longer than {@linkcode ModuleCacheOptions.maxCodeBytes}.
   * @throws The reason of the signal, the system's error for a file, or the engine's own error when it rejects the
   * code.
   */
  async load(url: string | URL, options: LoadOptions = {}): Promise<M> {
    return (await (await this.#loader()).load(url, options)).module;
  }

  /**
   * Reports whether the directory can be read and written, by trying it. Creates the directory if it does not exist.
   * Lookups do not depend on this call.
   *
   * @returns State of the disk, and the reason if it is not `"read-write"`.
   */
  status(): DiskStatus {
    const { storage } = this.#context;
    if (typeof storage === "string") return { disk: "off", reason: storage };
    return runSync(storage.directory.status(this.#context.engine.native ?? false));
  }

  /**
   * Lists the entries in the directory, of all engines, in no order. Nothing of them is checked.
   *
   * @throws {CacheError} `IO` when the directory cannot be read.
   */
  async *list(): AsyncGenerator<EntryInfo, void, undefined> {
    const inventory = await this.#inventory();
    if (inventory) yield* inventory.list();
  }

  /**
   * Reads every entry in the directory, of all engines, and checks that it is what was written. Removes those that are
   * not, and nothing else.
   *
   * @param options `dryRun` removes nothing; a callback for progress; a signal.
   * @returns What is there, and what is wrong with it.
   * @throws {CacheError} `IO` when the directory cannot be read.
   * @throws The reason of the signal, or what `onProgress` threw.
   */
  async verify(options: VerifyOptions = {}): Promise<VerifyResult> {
    const dryRun = options.dryRun || this.#writable() === undefined;
    return await (await this.#inventory())?.verify({ ...options, dryRun }) ?? { entries: 0, bytes: 0, findings: [] };
  }

  /** Returns counts of lookups, writes and locks, and the size of memory. */
  stats(): CacheStats {
    const { counters, memory } = this.#context;
    const misses = { ...counters.misses };
    return {
      ...counters,
      misses,
      memoryEntries: memory.entries,
      memoryBytes: memory.bytes,
      evictions: memory.evictions,
    };
  }

  /** Removes every module from memory. Entries on disk stay. */
  clearMemory(): void {
    this.#context.memory.clear();
  }

  /**
   * Removes every module from memory, everything that `load` has stored about URLs, and every entry of this engine from
   * the directory. Entries of other engines and files that are not entries stay. A read-only directory stays as it is, and so
   * does the remote.
   *
   * @param options `allEngines` removes the entries of other engines too.
   * @throws {CacheError} When an entry cannot be removed.
   */
  async clear({ allEngines = false }: ClearOptions = {}): Promise<void> {
    this.clearMemory();
    const storage = this.#writable();
    // What is being written would come back. A write that fails leaves nothing to remove, and flush reports it.
    await storage?.behind.settleAll();
    const { engine, platform } = this.#context;
    await (await this.#loader()).clear(storage);
    const folder = allEngines ? undefined : await runAsync(folderIn(platform, engine.id));
    if (storage) await runAsync(storage.disk.clear(folder));
  }

  /**
   * Removes one module from memory and, unless the directory is read-only, its entry from disk and, if that can remove
   * entries, from the remote.
   *
   * @param codeOrKey The code, or the `key` of a {@linkcode Resolved}.
   * @returns Whether memory or disk had it.
   * @throws {TypeError} When it is neither code nor a key.
   * @throws {CacheError} When the entry cannot be removed.
   */
  async delete(codeOrKey: Code | string): Promise<boolean> {
    const key = typeof codeOrKey === "string"
      ? checkKey(codeOrKey)
      : await runAsync(keyOf(this.#context, viewOf(codeOrKey)));
    const { engine, memory, platform, remote } = this.#context;
    let wasThere = memory.deleteKey(key);
    const storage = this.#writable();
    if (storage) {
      await storage.behind.settleAll(key);
      const path = entryPath(await runAsync(folderIn(platform, engine.id)), key);
      wasThere = await runAsync(storage.disk.remove(path)) || wasThere;
    }
    // Last, for it may fail.
    await remote?.delete(key);
    return wasThere;
  }

  /**
   * Prunes the directory now: removes entries of all engines that have gone unused for `maxDiskAgeMs`; if the rest is
   * more than four fifths of `maxDiskBytes`, the least recently used down to that; and leftovers of killed processes.
   * Writes do the same: once an hour, and before this cache has added more than a twentieth of the limit.
   *
   * @param options `dryRun` removes nothing and reports what would be removed.
   * @returns What was removed, and what is left.
   * @throws {CacheError} When something could not be removed; everything else has been.
   */
  async prune({ dryRun = false }: PruneOptions = {}): Promise<PruneResult> {
    const { storage } = this.#context;
    if (typeof storage === "string" || storage.directory.mustNotRead) return NOTHING_PRUNED;
    const isDryRun = dryRun || this.#writable() === undefined;
    await storage.behind.settleAll();
    const { fault, ...result } = await runAsync(storage.limits.prune({ isDryRun }));
    if (fault) throw fault;
    return result;
  }

  /**
   * Makes entries ahead of the lookups that need them, in an image or after an install: the best that the engine can
   * make, however long that takes. Afterwards the modules are in memory.
   *
   * @param sources Bytes of each module, all copied before the first wait, or URLs as {@linkcode ModuleCache.load}
   * takes them.
   * @param options How many at a time, a callback for progress, and a signal.
   * @throws {TypeError | RangeError} When an argument is invalid.
   * @throws The engine's own error when it rejects a module's bytes; modules not yet begun are left out then.
   */
  async warm(sources: Iterable<Code | URL | string>, options: WarmOptions = {}): Promise<void> {
    checkConcurrency(options.concurrency);
    await warm(this.#context, Array.from(sources, sourceOf), options, loaderOf);
  }

  /**
   * Waits until all writes in the background are done, to the directory and the remote, and the pruning that one of
   * them may have started.
   *
   * @throws {CacheError} When the cache is strict and a write failed.
   */
  async flush(): Promise<void> {
    await behind(this.#context, (writes) => writes.flush());
  }

  /** Flushes, then removes every module from memory. The cache can be used again afterwards. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.clearMemory();
    }
  }

  #loader(): Promise<Loader<M>> {
    return this.#loading ??= loaderOf(this.#context);
  }

  /** Loaded when needed: programs run, people look. */
  async #inventory(): Promise<Inventory | undefined> {
    const { platform, storage } = this.#context;
    if (typeof storage === "string") return undefined;
    const { behind, directory, options: { secret } } = storage;
    const refusal = directory.mustNotRead;
    if (refusal?.fault) throw refusal.fault;
    await behind.settleAll();
    const { Inventory } = await import("./disk/inventory.ts");
    return new Inventory({ platform, files: platform.files!, directory, secret: secretOf(secret) });
  }

  /** The disk side, if entries may be changed. */
  #writable(): Storage | undefined {
    const { storage } = this.#context;
    if (typeof storage === "string") return undefined;
    return storage.directory.mustNotRead ?? storage.directory.mustNotWrite ? undefined : storage;
  }
}

/** Loaded when needed: many programs load nothing by URL. */
async function loaderOf<M>(context: Context<M>): Promise<Loader<M>> {
  return new (await import("./load/loader.ts")).Loader(context);
}
