// ModuleCache: one engine, one memory, one directory, and the calls on them.

import { type Code, copyOf, describe, viewOf } from "./bytes.ts";
import { type Context, type Counters, openContext, type Resolved, type Storage } from "./context.ts";
import type { DiskStatus } from "./disk/directory.ts";
import { runAsync, runSync } from "./effect.ts";
import type { CompileOptions } from "./engine/runtime.ts";
import { entryPath, folderIn } from "./disk/key.ts";
import type { Loader, LoadOptions } from "./load/loader.ts";
import { keyOf, lookup } from "./lookup.ts";
import type { PruneResult } from "./disk/prune.ts";
import { checkConcurrency, digestOf, type ModuleCacheOptions } from "./options.ts";
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
   * SHA-256 of the code where the caller knows it: 64 hexadecimal digits, or the 32 bytes. It is trusted where memory
   * has a module under it: a memory hit then costs microseconds whatever the size of the code, and gives that module
   * even if the code is another. Otherwise the code is hashed all the same.
   */
  digest?: string | BufferSource;
}

/** Options of {@linkcode ModuleCache.prune}. */
export interface PruneOptions {
  /**
   * Removes nothing, and tells what it would remove; so it always is where the directory is read-only.
   *
   * @default {false}
   */
  dryRun?: boolean;
}

/** Counters and sizes of a cache. */
export interface CacheStats extends Readonly<Counters> {
  /** Modules in memory now. */
  readonly memoryEntries: number;
  /** Bytes of code in memory now. */
  readonly memoryBytes: number;
  /** Modules that left memory for others. */
  readonly evictions: number;
}

/**
 * Compiles a module once and gives it everywhere after: from memory, from a directory that processes and runtimes
 * share, and only else by compiling.
 *
 * A fault of the cache never breaks the program: it is a miss and one warning, unless `strict` is set. An error of the
 * engine reaches the caller untouched and is not cached.
 *
 * @typeParam M Type of a compiled module.
 *
 * @example Compile, then have the same module from memory
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
export class ModuleCache<M = WebAssembly.Module> {
  readonly #context: Context<M>;
  #loading: Promise<Loader<M>> | undefined;

  /**
   * Makes a cache; touches no file yet.
   *
   * @param options Engine, directory and limits.
   * @throws {TypeError | RangeError} When an option is not what it should be. What the environment lacks is no error:
   * {@linkcode ModuleCache.status} tells of it.
   */
  constructor(options: ModuleCacheOptions<M> = {}) {
    if (typeof options !== "object" || options === null) {
      throw new TypeError(`Cannot make cache: its options must be an object, not ${describe(options)}`);
    }
    this.#context = openContext(options);
  }

  /**
   * Gives the module of a code, and tells where it came from.
   *
   * The code is copied before the first wait: what the caller does to it later changes nothing. Calls for one code
   * that overlap share one compile. Where the engine keeps artifacts other than the code, the entry is written when
   * the promise resolves; where it keeps the code itself, it is written soon after: see {@linkcode ModuleCache.flush}.
   *
   * @param code Bytes for the engine: a buffer or a view of one, of any kind.
   * @param options The code's digest, where it is known.
   * @returns The module and its provenance.
   * @throws {TypeError} When `code` is not bytes, or `digest` is not its SHA-256.
   * @throws {CacheError} When the cache is strict and has a fault.
   * @throws The engine's own error when it refuses the code: `WebAssembly.CompileError` of the host engine.
   */
  async resolve(code: Code, options: ResolveOptions = {}): Promise<Resolved<M>> {
    return await runAsync(lookup(this.#context, viewOf(code), { digest: digestOf(options?.digest) }));
  }

  /** Synchronous {@linkcode ModuleCache.resolve}: never waits, not even for a lock or for another call's compile. */
  resolveSync(code: Code, options: ResolveOptions = {}): Resolved<M> {
    return runSync(lookup(this.#context, viewOf(code), { digest: digestOf(options?.digest) }));
  }

  /**
   * Gives the module of a code, as `WebAssembly.compile` does.
   *
   * @param code Bytes for the engine.
   * @param options Compile options of the standard; a module compiled with them is not kept.
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
   * Gives the module of a response, as `WebAssembly.compileStreaming` does.
   *
   * Where the engine's artifact is the code, a response of a URL that did not come through before is compiled while it
   * arrives; others are received first, and looked up.
   *
   * @param source A response of type `application/wasm`, or a promise of one.
   * @param options As for {@linkcode ModuleCache.compile}.
   * @throws {TypeError} When it is no such response, or its status is not one of success.
   * @throws {RangeError} When the code is longer than {@linkcode ModuleCacheOptions.maxCodeBytes}.
   * @throws What its body fails with; nothing is kept then.
   */
  async compileStreaming(source: ResponseSource, options?: CompileOptions): Promise<M> {
    return await compileStreaming(this.#context, source, options);
  }

  /**
   * {@linkcode ModuleCache.compileStreaming}, and tells where the module came from.
   *
   * @param source As there, also for errors.
   */
  async resolveStreaming(source: ResponseSource): Promise<Resolved<M>> {
    return await resolveStreaming(this.#context, source);
  }

  /**
   * Instantiates as `WebAssembly.instantiate` does: bytes to a module and an instance, a module to an instance. For
   * engines whose modules are those of the runtime.
   *
   * @param source Bytes, or a module.
   * @param imports What the module imports.
   * @param options As for {@linkcode ModuleCache.compile}.
   * @throws {TypeError} When an argument is not what it should be.
   * @throws {WebAssembly.LinkError} When the imports are not those of the module.
   */
  instantiate(
    source: Code,
    imports?: WebAssembly.Imports,
    options?: CompileOptions,
  ): Promise<WebAssembly.WebAssemblyInstantiatedSource>;
  /** A module to an instance. */
  instantiate(source: WebAssembly.Module, imports?: WebAssembly.Imports): Promise<WebAssembly.Instance>;
  /** Either. */
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
   * Gives the module of a URL, and keeps its code in the directory, so that a later process need not ask for it.
   *
   * - `file:`: code of a file that was not changed since it was read in this process, as its path, size, time and inode
   *   say, is not read again.
   * - `http:`, `https:`: what is kept is used as HTTP's caching rules allow, and asked for changes where they do not. Where
   *   nobody answers then, or the server with an error, what is kept is used, with a warning, unless the server forbids
   *   it. The response must be of type `application/wasm`, unless `integrity` or `type` is given.
   * - `data:` and what else `fetch` takes: is fetched each time.
   *
   * @param url A URL, as text or as an object.
   * @param options What the code must be, how to use what is kept, and a signal.
   * @returns The module, as {@linkcode ModuleCache.resolve} has it.
   * @throws {TypeError} When an argument is not what it should be, the network fails and nothing is kept, the response
   * is not one of success or of another type, or the code has not the `integrity` given. Nothing is kept then.
   * @throws {RangeError} When the code is longer than {@linkcode ModuleCacheOptions.maxCodeBytes}.
   * @throws The reason of the signal, the system's error for a file, or the engine's own when it refuses the code.
   */
  async load(url: string | URL, options: LoadOptions = {}): Promise<M> {
    return await (await this.#loader()).load(url, options);
  }

  /**
   * Tells what can be done with the disk now. Tries it, and so makes the directory; lookups do not depend on it.
   *
   * @returns State of the disk, and the reason where it is not read and written.
   */
  status(): DiskStatus {
    const { storage } = this.#context;
    if (typeof storage === "string") return { disk: "off", reason: storage };
    return runSync(storage.directory.status(this.#context.engine.native ?? false));
  }

  /** Counts lookups by provenance, writes, locks, and what is in memory. */
  stats(): CacheStats {
    const { counters, memory } = this.#context;
    return { ...counters, memoryEntries: memory.entries, memoryBytes: memory.bytes, evictions: memory.evictions };
  }

  /** Forgets every module in memory; entries stay. */
  clearMemory(): void {
    this.#context.memory.clear();
  }

  /**
   * Forgets every module in memory and where code came from, and removes every entry of this engine from the directory.
   * Entries of other engines and files that are not entries stay, and all of it where the directory is read-only.
   *
   * @throws {CacheError} When an entry cannot be removed.
   */
  async clear(): Promise<void> {
    this.clearMemory();
    const storage = this.#writable();
    // What is being written would come back. A write that fails leaves nothing to remove, and flush tells of it.
    await storage?.behind.settleAll();
    const { engine, platform } = this.#context;
    await (await this.#loader()).clear(storage);
    if (storage) await runAsync(storage.disk.clear(await runAsync(folderIn(platform, engine.id))));
  }

  /**
   * Forgets one module, in memory and, unless the directory is read-only, on disk.
   *
   * @param codeOrKey The code, or the `key` of a {@linkcode Resolved}.
   * @returns Whether anything was there to forget.
   * @throws {TypeError} When it is neither bytes nor a key.
   * @throws {CacheError} When the entry cannot be removed.
   */
  async delete(codeOrKey: Code | string): Promise<boolean> {
    const key = typeof codeOrKey === "string"
      ? checkKey(codeOrKey)
      : await runAsync(keyOf(this.#context, viewOf(codeOrKey)));
    const wasInMemory = this.#context.memory.deleteKey(key);
    const storage = this.#writable();
    if (!storage) return wasInMemory;
    await storage.behind.settleAll(key);
    const { engine, platform } = this.#context;
    const path = entryPath(await runAsync(folderIn(platform, engine.id)), key);
    return await runAsync(storage.disk.remove(path)) || wasInMemory;
  }

  /**
   * Removes from the directory, now, entries of all engines that were not used for too long, and of the rest the least
   * recently used, until four fifths of `maxDiskBytes` are left at most; also what writers that died left behind. Writes
   * have it done by themselves: once an hour, and before this cache has added more than a twentieth of the limit.
   *
   * @param options `dryRun`: tells what would be removed, and removes nothing.
   * @returns What was removed, and what stays.
   * @throws {CacheError} When something could not be removed; all else was.
   */
  async prune({ dryRun = false }: PruneOptions = {}): Promise<PruneResult> {
    const { storage } = this.#context;
    if (typeof storage === "string" || storage.directory.mustNotRead) return NOTHING_TO_PRUNE;
    const isDryRun = dryRun || this.#writable() === undefined;
    await storage.behind.settleAll();
    const { fault, ...result } = await runAsync(storage.limits.prune({ isDryRun }));
    if (fault) throw fault;
    return result;
  }

  /**
   * Makes the entries of codes ahead of the lookups that need them, in an image or after an install: the best that the
   * engine can make, however long that takes. Their modules are in memory after.
   *
   * @param codes Bytes for the engine; all are copied before the first wait.
   * @param options How many at a time, and whom to tell.
   * @throws {TypeError | RangeError} When an argument is not what it should be.
   * @throws The engine's own error when it refuses a code; codes not begun are left out then.
   */
  async warm(codes: Iterable<Code>, options: WarmOptions = {}): Promise<void> {
    checkConcurrency(options.concurrency);
    await warm(this.#context, Array.from(codes, (code) => copyOf(viewOf(code))), options);
  }

  /**
   * Waits until every entry that is still being written is on the disk, and until the directory is within its limits
   * where one of these writes found that it was time to see to that.
   *
   * @throws {CacheError} When the cache is strict and a write failed.
   */
  async flush(): Promise<void> {
    const { storage } = this.#context;
    if (typeof storage !== "string") await storage.behind.flush();
  }

  /** Flushes, and forgets every module in memory. The cache can be used again after. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.flush();
    } finally {
      this.clearMemory();
    }
  }

  /** Its files are loaded when they are needed: many programs load nothing by URL. */
  #loader(): Promise<Loader<M>> {
    return this.#loading ??= import("./load/loader.ts").then(({ Loader }) => new Loader(this.#context));
  }

  /** The disk side, where entries may be changed. */
  #writable(): Storage | undefined {
    const { storage } = this.#context;
    if (typeof storage === "string") return undefined;
    return storage.directory.mustNotRead ?? storage.directory.mustNotWrite ? undefined : storage;
  }
}

const NOTHING_TO_PRUNE: PruneResult = { removedEntries: 0, removedBytes: 0, entries: 0, bytes: 0 };

function checkKey(key: string): string {
  if (/^[0-9a-f]{64}$/.test(key)) return key;
  throw new TypeError("Cannot use key: it must be the 64 hexadecimal digits of a Resolved");
}
