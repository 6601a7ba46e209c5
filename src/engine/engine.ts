// The engine port: how modules are made, written down and read back. Types only; anyone can implement it.

import type { CompileOptions } from "./runtime.ts";

/**
 * Compiles code to modules, and turns modules into artifacts and back.
 *
 * Every method may give its result or a promise of it. The `…Sync` members serve `resolveSync` and `getSync`; an engine
 * whose plain members never give a promise needs none of them.
 *
 * @typeParam M Type of a compiled module; need not be a `WebAssembly.Module`.
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
  /** All that decides whether an artifact made here loads there: kind, version, flags, architecture, CPU features. Not empty. */
  readonly id: string;

  /**
   * Whether artifacts are machine code, or anything else that is run unchecked. They are then neither read nor written
   * where anybody but this user and the superuser owns, or may write, the directory or what is in it.
   *
   * @default {false}
   */
  readonly native?: boolean;

  /**
   * Compiles code.
   *
   * May look other code up in the same cache; the same code would wait for itself.
   *
   * @param code The code: the cache keeps it, so it must not be changed or transferred.
   * @returns The module.
   * @throws The engine's own error; it reaches the caller untouched and nothing is cached.
   */
  compile(code: Uint8Array<ArrayBuffer>): M | Promise<M>;

  /** Synchronous {@linkcode Engine.compile}; needed for `resolveSync` where `compile` gives a promise. */
  compileSync?(code: Uint8Array<ArrayBuffer>): M;

  /**
   * Compiles while the code arrives; for engines whose artifact is the code. Others look for an artifact first, and need
   * all of the code for that.
   *
   * @param response A response of type `application/wasm`.
   */
  compileStreaming?(response: Response): Promise<M>;

  /**
   * Compiles with the options of `WebAssembly.compile`. Such a module is not kept: what comes back from an artifact has
   * none. An engine that has no such method takes no options.
   */
  compileWithOptions?(code: BufferSource, options: CompileOptions): Promise<M>;

  /** Synchronous {@linkcode Engine.compileWithOptions}. */
  compileWithOptionsSync?(code: BufferSource, options: CompileOptions): M;

  /**
   * Writes a module down.
   *
   * @param module What `compile` gave.
   * @param code The code that it came from.
   * @param place Where the artifact goes, for engines that make it later.
   * @returns The artifact, or `undefined` where this module cannot be kept, or not yet.
   */
  serialize(
    module: M,
    code: Uint8Array<ArrayBuffer>,
    place?: EntryPlace,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;

  /** Synchronous {@linkcode Engine.serialize}. */
  serializeSync?(module: M, code: Uint8Array<ArrayBuffer>, place?: EntryPlace): Uint8Array | undefined;

  /**
   * Reads a module back. Must not compile: a hit that recompiles silently is a lie.
   *
   * @param artifact What `serialize` gave; its checksum has been verified.
   * @param code The code, or `undefined` where only its digest is at hand.
   * @param place Where the artifact came from, for engines that make a better one later; absent where the cache must not
   * write.
   * @returns The module, or `undefined` where the artifact does not load here: it is then made again and replaced.
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
   * The same engine when there is time: it makes the best artifacts it can, however long that takes, and does not take
   * lesser ones. Its id is the same. `warm` uses it.
   *
   * @default {this}
   */
  readonly thorough?: Engine<M>;
}

/** The place of one entry, for engines that make artifacts after the lookup, or in another process. */
export interface EntryPlace {
  /** Name of the entry, 64 hexadecimal digits. */
  readonly key: string;

  /** The cache's directory, absolute. */
  readonly directory: string;

  /** The folder in it that is the cache's own: `tmp` is for temporary files, `locks` for locks. */
  readonly root: string;

  /** What else another cache must be given to read and write this entry. */
  readonly options: {
    /** The secret. */
    readonly secret?: CryptoKey | Uint8Array;
    /** Bytes of all entries. */
    readonly maxDiskBytes: number;
    /** How long entries stay, ms. */
    readonly maxDiskAgeMs: number;
    /** How many bytes of code may be kept in memory. */
    readonly maxMemoryBytes: number;
  };

  /** Makes the cache's folders where they are missing. Synchronous; throws what the runtime throws where it cannot. */
  prepare(): void;
}
