// Calls to an engine as effects: which member serves which kind of run, and what a promise means in a synchronous one.

import { type Effect, isPromise } from "../effect.ts";
import type { Engine } from "./engine.ts";

/** Code and artifacts as engines get them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Checks what a user gave as an engine. */
export function checkEngine(engine: unknown): void {
  const given = (engine ?? {}) as Partial<Engine<unknown>>;
  if (typeof given.id !== "string" || given.id === "") {
    throw new TypeError("Cannot use engine: its id must be a string that is not empty");
  }
  for (const member of ["compile", "serialize", "deserialize"] as const) {
    if (typeof given[member] !== "function") {
      throw new TypeError(`Cannot use engine "${given.id}": it has no ${member}`);
    }
  }
}

/** Tells whether an engine's artifact is the code itself; see {@linkcode Engine}. */
export function keepsCode(engine: Engine<unknown>): boolean {
  return engine.deserialize === engine.compile;
}

/** Compiles. */
export function compiling<M>(engine: Engine<M>, code: Bytes): Effect<M> {
  return {
    name: "compile",
    sync: () => engine.compileSync ? engine.compileSync(code) : settled(engine, "compile", engine.compile(code)),
    async: () => engine.compile(code),
  };
}

/** Serializes. */
export function serializing<M>(engine: Engine<M>, module: M, code: Bytes): Effect<Uint8Array | undefined> {
  return {
    name: "serialize",
    sync: () =>
      engine.serializeSync
        ? engine.serializeSync(module, code)
        : settled(engine, "serialize", engine.serialize(module, code)),
    async: () => engine.serialize(module, code),
  };
}

/** Deserializes. */
export function deserializing<M>(engine: Engine<M>, artifact: Bytes, code: Bytes): Effect<M | undefined> {
  return {
    name: "deserialize",
    sync: () =>
      engine.deserializeSync
        ? engine.deserializeSync(artifact, code)
        : settled(engine, "deserialize", engine.deserialize(artifact, code)),
    async: () => engine.deserialize(artifact, code),
  };
}

function settled<T>(engine: Engine<unknown>, act: string, value: T | Promise<T>): T {
  if (!isPromise(value)) return value;
  // Its result comes too late; its failure must not end the program.
  value.then(undefined, () => {});
  throw new TypeError(`Cannot ${act} synchronously: engine "${engine.id}" gives a promise and has no ${act}Sync`);
}
