// The one call: a cache for each engine id and directory, for the life of the process.

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
 * Returns the module of the code from memory or from the directory; otherwise compiles it and stores it there.
 *
 * All calls of a process with the same engine id and directory share one memory of at most 1,024 modules or 256 MiB of
 * code. A fault of the directory is a miss and a warning on the console. When the promise resolves, the entry has been
 * written. What an entry saves depends on the engine: see {@linkcode hostEngine}.
 *
 * @param engine Compiles the code, and decides what an entry holds.
 * @param code Bytes for the engine.
 * @param directory Directory of the entries: a path, a `file:` URL, or `"default"` for {@linkcode defaultDirectory}.
 * @returns The module.
 * @throws {TypeError} When an argument is invalid.
 * @throws The engine's own error when it rejects the code.
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

/** The shared context, with the engine of this call. */
function contextOf<M>(engine: Engine<M>, directory: string | URL): Context<M> {
  checkEngine(engine);
  const given = directoryOf(directory ?? null);
  platform ??= detectPlatform();
  const name = JSON.stringify([engine.id, given && platform.files?.resolve(given)]);
  let shared = contexts.get(name) as Context<M> | undefined;
  if (!shared) {
    shared = openContext({ engine, directory }, platform);
    contexts.set(name, shared as Context<unknown>);
  }
  return { ...shared, engine };
}
