// Calls to an engine as effects: which member serves which kind of run, and what a promise means in a synchronous run.

import { CannotWait, type Effect, isPromise } from "../effect.ts";
import type { Engine } from "./engine.ts";
import type { Bytes } from "../platform/platform.ts";

export type { Bytes };

/** Checks the option `engine`. */
export function checkEngine(engine: unknown): void {
  const given = (engine ?? {}) as Partial<Engine<unknown>>;
  if (typeof given.id !== "string" || given.id === "") {
    throw new TypeError("Cannot use engine: its id must be a string that is not empty");
  }
  // Lone surrogates all become one character in UTF-8: different ids would share entries.
  if (!given.id.isWellFormed()) throw new TypeError("Cannot use engine: its id must be well-formed Unicode");
  for (const member of ["deferred", "native"] as const) {
    if (given[member] !== undefined && typeof given[member] !== "boolean") {
      throw new TypeError(`Cannot use engine "${given.id}": its ${member} must be a boolean`);
    }
  }
  if (given.thorough !== undefined && given.thorough.id !== given.id) {
    throw new TypeError(`Cannot use engine "${given.id}": its thorough must be an engine of the same id`);
  }
  for (const member of ["compile", "serialize", "deserialize", "deserializeFile"] as const) {
    const isOptional = member === "deserializeFile" && given[member] === undefined;
    if (!isOptional && typeof given[member] !== "function") {
      throw new TypeError(`Cannot use engine "${given.id}": it has no ${member}`);
    }
    const sync = given[`${member}Sync`];
    if (sync !== undefined && typeof sync !== "function") {
      throw new TypeError(`Cannot use engine "${given.id}": its ${member}Sync must be a function`);
    }
  }
}

/** Serializes to the code itself, as the host engine does; {@linkcode keepsCode} recognizes engines by it. */
export function codeAsArtifact(_module: unknown, code: Bytes): Bytes {
  return code;
}

/**
 * Whether an engine's artifact is the code, and reading it back a compile. The disk then saves no compile, so lookups
 * take no lock, write in the background, and read no copy of code they were given. An engine that replaces a member of
 * the host engine is not one of these.
 */
export function keepsCode(engine: Engine<unknown>): boolean {
  return engine.serialize === codeAsArtifact && engine.deserialize === engine.compile;
}

/** Compiles. */
export function compiling<M>(engine: Engine<M>, ...given: Parameters<Engine<M>["compile"]>): Effect<M> {
  return calling(engine, "compile", given);
}

/** A compile, and what it took so far, ms. */
export interface TimedCompile<M> extends Effect<M> {
  /** The same object for all copies of the effect. */
  readonly took: { ms: number };
}

/** A compile, measured if it is ours. */
export type Compile<M> = Effect<M> & Partial<TimedCompile<M>>;

/** Measures a compile. */
export function timed<M>({ name, sync, async }: Effect<M>, clock: () => number): TimedCompile<M> {
  const took = { ms: 0 };
  const since = (startMs: number) => took.ms = clock() - startMs;
  return {
    name,
    took,
    sync: () => {
      const startMs = clock();
      const module = sync();
      since(startMs);
      return module;
    },
    async: () => {
      const startMs = clock();
      const module = async();
      if (isPromise(module)) return module.then((module) => (since(startMs), module as M));
      since(startMs);
      return module;
    },
  };
}

/** Serializes. */
export function serializing<M>(
  engine: Engine<M>,
  ...given: Parameters<Engine<M>["serialize"]>
): Effect<Uint8Array | undefined> {
  return calling(engine, "serialize", given);
}

/** Deserializes. */
export function deserializing<M>(
  engine: Engine<M>,
  ...given: Parameters<Engine<M>["deserialize"]>
): Effect<M | undefined> {
  return calling(engine, "deserialize", given);
}

/** Deserializes from a file, if the engine can. */
export function deserializingFile<M>(
  engine: Engine<M>,
  ...given: Parameters<Required<Engine<M>>["deserializeFile"]>
): Effect<M | undefined> {
  return calling(engine, "deserializeFile", given);
}

type Members<T> = Readonly<Record<string, ((...given: readonly unknown[]) => T) | undefined>>;

function calling<T>(engine: Engine<unknown>, act: string, given: readonly unknown[]): Effect<T> {
  const members = engine as unknown as Members<T>;
  return {
    name: act,
    sync: () =>
      members[`${act}Sync`] ? members[`${act}Sync`]!(...given) : settled(engine, act, members[act]!(...given)),
    async: () => members[act]!(...given),
  };
}

function settled<T>(engine: Engine<unknown>, act: string, value: T | Promise<T>): T {
  if (!isPromise(value)) return value;
  // Its result comes too late; its failure must not end the program.
  value.then(undefined, () => {});
  throw new CannotWait(`Cannot ${act} synchronously: engine "${engine.id}" gives a promise and has no ${act}Sync`);
}
