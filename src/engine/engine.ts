// The engine port: how modules are made, written down and read back. Types only; anyone can implement it.

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
   * Writes a module down.
   *
   * @param module What `compile` gave.
   * @param code The code that it came from.
   * @returns The artifact, or `undefined` where this module cannot be kept.
   */
  serialize(
    module: M,
    code: Uint8Array<ArrayBuffer>,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;

  /** Synchronous {@linkcode Engine.serialize}. */
  serializeSync?(module: M, code: Uint8Array<ArrayBuffer>): Uint8Array | undefined;

  /**
   * Reads a module back. Must not compile: a hit that recompiles silently is a lie.
   *
   * @param artifact What `serialize` gave; its checksum has been verified.
   * @param code The code, or `undefined` where only its digest is at hand.
   * @returns The module, or `undefined` where the artifact does not load here: it is then made again and replaced.
   */
  deserialize(
    artifact: Uint8Array<ArrayBuffer>,
    code: Uint8Array<ArrayBuffer> | undefined,
  ): M | undefined | Promise<M | undefined>;

  /** Synchronous {@linkcode Engine.deserialize}. */
  deserializeSync?(
    artifact: Uint8Array<ArrayBuffer>,
    code: Uint8Array<ArrayBuffer> | undefined,
  ): M | undefined;
}
