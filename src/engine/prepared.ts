// An engine whose artifact is the output of a costly step that runs before another engine compiles.

import { copyOf, isUint8Array } from "../bytes.ts";
import { CannotWait, isPromise } from "../effect.ts";
import { type Bytes, checkEngine, compiling } from "./calls.ts";
import type { Engine } from "./engine.ts";
import { setTimer } from "../platform/globals.ts";

/**
 * A deterministic step from code to code: an optimizer, gas metering, a compiler of another language.
 *
 * Must return the same output for the same code and `id`: the output is made once and stored.
 */
export interface PrepareStep {
  /** Names everything that decides the output: name, version, settings. Part of the engine's id. Not empty. */
  readonly id: string;

  /**
   * Makes the output.
   *
   * @param code The code: the cache keeps it, so it must not be changed or transferred.
   * @returns Code for the inner engine; it is copied.
   * @throws The step's own error. It reaches the caller untouched, and nothing is cached.
   */
  prepare(code: Uint8Array<ArrayBuffer>): Uint8Array | Promise<Uint8Array>;

  /** Synchronous {@linkcode PrepareStep.prepare}; `resolveSync` needs it if `prepare` returns a promise. */
  prepareSync?(code: Uint8Array<ArrayBuffer>): Uint8Array;
}

/**
 * Runs a step before another engine compiles, and stores the step's output: a disk hit costs only the inner engine's
 * compile, on every runtime.
 *
 * The steps of an engine that is itself prepared are joined: `prepared(prepared(engine, second), first)` stores the
 * output of the second step. Artifacts of the inner engine are not stored.
 *
 * @typeParam M Type of a compiled module.
 * @param engine Compiles the output.
 * @param step Runs before it.
 * @returns The engine. Its id names both.
 * @throws {TypeError} When the engine or the step is invalid.
 *
 * @example Store decompressed code
 * ```ts
 * import { defaultDirectory, hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
 *
 * const gunzip = prepared(hostEngine(), {
 *   id: "gunzip-1",
 *   prepare: async (code) => {
 *     const unpacked = new Response(code).body!.pipeThrough(new DecompressionStream("gzip"));
 *     return new Uint8Array(await new Response(unpacked).arrayBuffer());
 *   },
 * });
 * const cache = new ModuleCache({ engine: gunzip, directory: defaultDirectory() });
 * console.log(gunzip.id, cache.stats().compiled); // "prepared(\"gunzip-1\", host)" 0
 * ```
 */
export function prepared<M>(engine: Engine<M>, step: PrepareStep): Engine<M> {
  checkEngine(engine);
  checkStep(step);
  return engine instanceof Prepared ? engine.after(step) : new Prepared(engine, step);
}

class Prepared<M> implements Engine<M> {
  readonly id: string;
  readonly #engine: Engine<M>;
  readonly #step: PrepareStep;
  /** Outputs of `compile` for the `serialize` that follows at once, by the cache's own copy of the code. */
  readonly #outputs = new WeakMap<Bytes, Bytes>();

  constructor(engine: Engine<M>, step: PrepareStep, id: string = idOf(step, engine)) {
    this.#engine = engine;
    this.#step = step;
    this.id = id;
  }

  /** The same engine with one more step before it. */
  after(step: PrepareStep): Prepared<M> {
    return new Prepared(this.#engine, join(step, this.#step), idOf(step, this));
  }

  async compile(code: Bytes): Promise<M> {
    const output = await this.#prepare(code);
    const module = await this.#engine.compile(output);
    this.#keep(code, output);
    return module;
  }

  compileSync(code: Bytes): M {
    const output = this.#prepareSync(code);
    const module = compiling(this.#engine, output).sync();
    this.#keep(code, output);
    return module;
  }

  serialize(_module: M, code: Bytes): Bytes | Promise<Bytes> {
    return this.#take(code) ?? this.#prepare(code);
  }

  serializeSync(_module: M, code: Bytes): Bytes {
    return this.#take(code) ?? this.#prepareSync(code);
  }

  deserialize(artifact: Bytes): M | Promise<M> {
    return this.#engine.compile(artifact);
  }

  deserializeSync(artifact: Bytes): M {
    return compiling(this.#engine, artifact).sync();
  }

  async #prepare(code: Bytes): Promise<Bytes> {
    return own(this.#step, await this.#step.prepare(code));
  }

  #prepareSync(code: Bytes): Bytes {
    return own(this.#step, prepareSync(this.#step, code));
  }

  #keep(code: Bytes, output: Bytes): void {
    this.#outputs.set(code, output);
    // A cache that writes nothing still keeps the code: the output must not stay in memory with it.
    setTimer(() => this.#outputs.delete(code), 0);
  }

  #take(code: Bytes): Bytes | undefined {
    const output = this.#outputs.get(code);
    this.#outputs.delete(code);
    return output;
  }
}

/** The id's parts cannot run together, whatever characters they have. */
function idOf(step: PrepareStep, engine: Engine<unknown>): string {
  return `prepared(${JSON.stringify(step.id)}, ${engine.id})`;
}

function join(first: PrepareStep, second: PrepareStep): PrepareStep {
  return {
    id: first.id,
    prepare: async (code) => second.prepare(own(first, await first.prepare(code))),
    prepareSync: (code) => prepareSync(second, own(first, prepareSync(first, code))),
  };
}

function prepareSync(step: PrepareStep, code: Bytes): Uint8Array {
  const output = step.prepareSync ? step.prepareSync(code) : step.prepare(code);
  if (!isPromise(output)) return output;
  // Its result comes too late; its failure must not end the program.
  output.then(undefined, () => {});
  throw new CannotWait(`Cannot prepare synchronously: step "${step.id}" gives a promise and has no prepareSync`);
}

/**
 * A private copy of an output: it is compiled and written while other work runs, perhaps the same step for other code.
 */
function own(step: PrepareStep, output: unknown): Bytes {
  if (isUint8Array(output)) return copyOf(output);
  throw new TypeError(`Cannot use output of step "${step.id}": it must be a Uint8Array, not ${typeof output}`);
}

function checkStep(step: unknown): void {
  const { id, prepare, prepareSync } = (step ?? {}) as Partial<PrepareStep>;
  if (typeof id !== "string" || id === "") {
    throw new TypeError("Cannot use step: its id must be a string that is not empty");
  }
  // Lone surrogates all become one character in UTF-8: different ids would share entries.
  if (!id.isWellFormed()) throw new TypeError("Cannot use step: its id must be well-formed Unicode");
  if (typeof prepare !== "function") throw new TypeError(`Cannot use step "${id}": it has no prepare`);
  if (prepareSync !== undefined && typeof prepareSync !== "function") {
    throw new TypeError(`Cannot use step "${id}": its prepareSync must be a function`);
  }
}
