// The one call: a cache for each engine id and directory, kept for the life of the process.

import { type Code, viewOf } from "./bytes.ts";
import { type Context, openContext } from "./context.ts";
import { type Operation, perform, runAsync, runSync } from "./effect.ts";
import { checkEngine } from "./engine/calls.ts";
import type { Engine } from "./engine/engine.ts";
import { lookup } from "./lookup.ts";
import { directoryOf } from "./options.ts";
import { detectPlatform } from "./platform/detect.ts";
import type { Platform } from "./platform/platform.ts";

/** What makes `get` remember: the only state of the library that a result depends on. */
const contexts = new Map<string, Context<unknown>>();
let platform: Platform | undefined;

/**
 * Gives the module of a code: from memory, from the directory, or by compiling and keeping it there.
 *
 * All calls of a process with one engine id and directory share one memory of 1,024 modules. Faults of the directory
 * are misses with a warning on the console. When the promise resolves, the entry is written.
 *
 * @param engine What compiles.
 * @param code Bytes for the engine.
 * @param directory Where entries are kept: a path, or a `file:` URL.
 * @returns The module.
 * @throws {TypeError} When an argument is not what it should be.
 * @throws The engine's own error when it refuses the code.
 *
 * @example Compile once for all processes
 * ```ts
 * import { defaultDirectory, get, hostEngine } from "@wasm/module-cache";
 *
 * const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
 * const module = await get(hostEngine(), code, defaultDirectory() ?? ".wasm-cache");
 * console.log(module instanceof WebAssembly.Module); // true
 * ```
 */
export async function get<M>(engine: Engine<M>, code: Code, directory: string | URL): Promise<M> {
  return await runAsync(lookupAndWrite(engine, viewOf(code), directory));
}

/** Synchronous {@linkcode get}. */
export function getSync<M>(engine: Engine<M>, code: Code, directory: string | URL): M {
  return runSync(lookupAndWrite(engine, viewOf(code), directory));
}

function* lookupAndWrite<M>(engine: Engine<M>, view: Uint8Array, directory: string | URL): Operation<M> {
  const context = contextOf(engine, directory);
  const { module, key } = yield* lookup(context, view);
  if (typeof context.storage !== "string") yield* perform(context.storage.behind.settle(key));
  return module;
}

/** The shared context, with the engine of this very call. */
function contextOf<M>(engine: Engine<M>, directory: string | URL): Context<M> {
  checkEngine(engine);
  const given = directoryOf(directory);
  platform ??= detectPlatform();
  const name = JSON.stringify([engine.id, platform.files?.resolve(given)]);
  let shared = contexts.get(name) as Context<M> | undefined;
  if (!shared) {
    shared = openContext({ engine, directory }, platform);
    contexts.set(name, shared as Context<unknown>);
  }
  return { ...shared, engine };
}
