// The engine port: how modules are compiled, serialized and read back. Types only; anyone can implement it.

import type { CompileOptions } from "./runtime.ts";

/**
 * Compiles code to modules, serializes modules to artifacts, and reads artifacts back.
 *
 * Every method may return its result or a promise of it. The `…Sync` members serve `resolveSync` and `getSync`; an
 * engine whose other members never return a promise needs none of them.
 *
 * @typeParam M Type of a compiled module; it need not be a `WebAssembly.Module`.
 *
 * @example An engine that keeps JSON schemas
 * ```ts
 * import { type Engine, ModuleCache } from "@wasm/module-cache";
 *
 * const text = new TextDecoder();
 * const engine: Engine<{ title: string }> = {
 *   id: "schema-1",
 *   compile: (code) => JSON.parse(text.decode(code)),
 *   serialize: (module) => new TextEncoder().encode(JSON.stringify(module)),
 *   deserialize: (artifact) => JSON.parse(text.decode(artifact)),
 * };
 * const cache = new ModuleCache({ engine });
 * const module = await cache.compile(new TextEncoder().encode('{ "title": "a" }'));
 * console.log(module.title); // "a"
 * ```
 */
export interface Engine<M = WebAssembly.Module> {
  /**
   * Names everything that decides whether an artifact made here loads there: kind, version, flags, architecture, CPU
   * features. Not empty.
   */
  readonly id: string;

  /**
   * Whether artifacts are machine code, or anything else that runs unchecked. They are then neither read nor written if
   * anyone but this user and the superuser owns, or can write, the directory or what is in it.
   *
   * @default {false}
   */
  readonly native?: boolean;

  /**
   * Whether artifacts are made by another process, after the lookup, so that `serialize` returns `undefined`. Lookups
   * then take no lock: who waited for it would find no entry.
   *
   * @default {false}
   */
  readonly deferred?: boolean;

  /**
   * Compiles code.
   *
   * May look up other code in the same cache. Looking up the same code would wait for itself.
   *
   * @param code The code: the cache keeps it, so it must not be changed or transferred.
   * @returns The module.
   * @throws The engine's own error. It reaches the caller untouched, and nothing is cached.
   */
  compile(code: Uint8Array<ArrayBuffer>): M | Promise<M>;

  /** Synchronous {@linkcode Engine.compile}; `resolveSync` needs it if `compile` returns a promise. */
  compileSync?(code: Uint8Array<ArrayBuffer>): M;

  /**
   * Compiles while the code arrives. Only for engines whose artifact is the code: others look for an artifact first,
   * and need all of the code for that.
   *
   * @param response A response of type `application/wasm`.
   */
  compileStreaming?(response: Response): Promise<M>;

  /**
   * Compiles with the options of `WebAssembly.compile`. Such a module is not cached, because a module read back from an
   * artifact has no options. An engine without this method takes none.
   */
  compileWithOptions?(code: BufferSource, options: CompileOptions): Promise<M>;

  /** Synchronous {@linkcode Engine.compileWithOptions}. */
  compileWithOptionsSync?(code: BufferSource, options: CompileOptions): M;

  /**
   * Serializes a module.
   *
   * @param module The module, as `compile` returned it.
   * @param code The code that it was compiled from.
   * @param place Where the entry goes, for engines that make the artifact later.
   * @returns The artifact, or `undefined` if this module cannot be stored, or not yet.
   */
  serialize(
    module: M,
    code: Uint8Array<ArrayBuffer>,
    place?: EntryPlace,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;

  /** Synchronous {@linkcode Engine.serialize}. */
  serializeSync?(module: M, code: Uint8Array<ArrayBuffer>, place?: EntryPlace): Uint8Array | undefined;

  /**
   * Reads a module back. Must not compile: lookups report `"disk"` for what it returns.
   *
   * @param artifact The artifact, as `serialize` returned it; its checksum has been verified.
   * @param code The code, or `undefined` if only its digest is known.
   * @param place Where the entry is, for engines that make a better artifact later; absent if the cache must not write.
   * @returns The module, or `undefined` if the artifact does not load here: the code is then compiled and the entry
   * replaced.
   */
  deserialize(
    artifact: Uint8Array<ArrayBuffer>,
    code: Uint8Array<ArrayBuffer> | undefined,
    place?: EntryPlace,
  ): M | undefined | Promise<M | undefined>;

  /** Synchronous {@linkcode Engine.deserialize}. */
  deserializeSync?(
    artifact: Uint8Array<ArrayBuffer>,
    code: Uint8Array<ArrayBuffer> | undefined,
    place?: EntryPlace,
  ): M | undefined;

  /**
   * Reads a module back from a file that begins with its artifact, so that it can be mapped instead of read. Used where
   * the system has a path to the very file whose checksum has been verified; otherwise {@linkcode Engine.deserialize} is.
   *
   * @param path Path of the file, valid during the call. It is never changed, but may be removed.
   * @param code As for `deserialize`.
   * @param place As for `deserialize`.
   * @returns As `deserialize`.
   */
  deserializeFile?(
    path: string,
    code: Uint8Array<ArrayBuffer> | undefined,
    place?: EntryPlace,
  ): M | undefined | Promise<M | undefined>;

  /** Synchronous {@linkcode Engine.deserializeFile}. */
  deserializeFileSync?(
    path: string,
    code: Uint8Array<ArrayBuffer> | undefined,
    place?: EntryPlace,
  ): M | undefined;

  /**
   * The engine that `warm` uses, with the same id: it makes the best artifacts it can, however long that takes, and
   * rejects lesser ones.
   *
   * @default {this}
   */
  readonly thorough?: Engine<M>;
}

/** Where one entry is, for engines that make artifacts after the lookup or in another process. */
export interface EntryPlace {
  /** Name of the entry, 64 hexadecimal digits. */
  readonly key: string;

  /** What compiling the module took, ms; 0 if that is not known. */
  readonly compileMs: number;

  /** The cache's directory, absolute. */
  readonly directory: string;

  /** The cache's own folder in it, absolute: `tmp` in it holds temporary files, `locks` locks. */
  readonly root: string;

  /** Options that another cache needs to read and write this entry. */
  readonly options: {
    /** Secret that signs entries. */
    readonly secret?: CryptoKey | Uint8Array;
    /** Most bytes of all entries. */
    readonly maxDiskBytes: number;
    /** How long an entry may go unused, ms. */
    readonly maxDiskAgeMs: number;
    /** How many bytes of code may be kept in memory. */
    readonly maxMemoryBytes: number;
  };

  /** Creates the cache's folders if they are missing. Synchronous; throws the runtime's own error. */
  prepare(): void;
}
