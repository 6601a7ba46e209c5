// The engine that stores V8's optimized machine code, and the choice between it and the host engine.

import type { Bytes } from "../engine/calls.ts";
import type { Engine } from "../engine/engine.ts";
import { compiling, hostEngine } from "../engine/host.ts";
import { type Grade, graded, isAtLeast, ungraded } from "./artifact.ts";
import { availability, hasFlagsOf, identity, type V8Availability } from "./identity.ts";
import { deserialize } from "./intrinsics.ts";
import { later } from "./later.ts";
import type { Order } from "./order.ts";
import { makeArtifact } from "./processes.ts";
import { isWorth } from "./wasm.ts";

/** Options of {@linkcode v8Engine}. */
export interface V8EngineOptions {
  /**
   * Which artifact is made in the background, for modules that have none:
   *
   * - `"profile"`: of the functions that the first process executed, by another process of low priority, started when
   *   the first ends or has run for ten seconds;
   * - `"full"`: of all functions, in the same way; takes ten times as long;
   * - `"none"`: none; existing ones are used.
   *
   * @default {"profile"}
   */
  artifact?: "profile" | "full" | "none";
}

/** Type of {@linkcode v8Engine}: creates the engine, and reports whether it is available. */
export interface V8EngineFactory {
  /**
   * Creates the engine.
   *
   * @throws {TypeError} When {@linkcode V8EngineFactory.available} says no, or an option is invalid.
   */
  (options?: V8EngineOptions): Engine<WebAssembly.Module>;

  /** Reports whether this process can use the engine, and why not. */
  available(): V8Availability;
}

/**
 * Stores V8's optimized machine code: on Node 22 to 25, a module that has run before starts at full speed.
 *
 * The first lookup compiles as without a cache, and nothing waits for an artifact. When the process ends, what V8 has
 * optimized is serialized (some ms). Another process has a third one load it, stores it, and optimizes the rest of what
 * was executed while no program starts. `cache.warm` optimizes everything and waits for it.
 *
 * Artifacts are machine code: whoever can write the directory can run code as you, so directories that others can write
 * are refused. Before V8 gets an artifact, the entry's digests and the identity of code, Node, V8, its flags, processor
 * and trap handler are checked; and another process has loaded it, after proving that V8's calls work. Modules that
 * export no function, or are smaller than 4 KB, are compiled as without a cache.
 *
 * @example Use it if it is available
 * ```ts
 * import { defaultDirectory, ModuleCache } from "@wasm/module-cache";
 * import { bestEngine, v8Engine } from "@wasm/module-cache/v8";
 *
 * const { available, reason } = v8Engine.available();
 * console.log(available === (reason === undefined)); // true
 * const cache = new ModuleCache({ engine: bestEngine(), directory: defaultDirectory() });
 * console.log(cache.stats().compiled); // 0
 * ```
 */
export const v8Engine: V8EngineFactory = Object.assign(create, { available: availability });

/** {@linkcode v8Engine} if it is available, otherwise `hostEngine()`. */
export function bestEngine(options: V8EngineOptions = {}): Engine<WebAssembly.Module> {
  return v8Engine.available().available ? v8Engine(options) : hostEngine();
}

function create(options: V8EngineOptions = {}): Engine<WebAssembly.Module> {
  const { artifact = "profile" } = options;
  if (!["profile", "full", "none"].includes(artifact)) {
    throw new TypeError(`Cannot use artifact "${artifact}": it must be "profile", "full" or "none"`);
  }
  const { available, reason } = availability();
  if (!available) throw new TypeError(`Cannot use V8 engine: ${reason}`);
  return engineOf(identity(), artifact === "none" ? undefined : artifact);
}

function engineOf(id: string, grade: Order["grade"] | undefined): Engine<WebAssembly.Module> {
  return {
    ...compiling,
    id,
    native: true,
    deferred: true,
    serialize: (module, code, place) => {
      if (grade && place) later({ id, grade, code, place, module });
      return undefined;
    },
    deserialize: (artifact, code, place) => {
      const isBest = !grade || isAtLeast(artifact, grade);
      const module = load(id, "snapshot", artifact, code);
      if (module && code && place && !isBest) later({ id, grade, code, place, module });
      return module;
    },
    thorough: thoroughEngine(id),
  };
}

/** Lets other processes make the full artifact of a module, and waits for it. */
function thoroughEngine(id: string): Engine<WebAssembly.Module> {
  return {
    ...compiling,
    id,
    native: true,
    serialize: async (_module, code, place) => {
      if (!place || !isWorth(code)) return undefined;
      place.prepare();
      return graded(await makeArtifact({ id, grade: "full", code }, `${place.root}/tmp`), "full");
    },
    deserialize: (artifact, code) => load(id, "full", artifact, code),
  };
}

/** Reads a module back. V8's flags may have changed since the identity was read. */
function load(id: string, least: Grade, artifact: Bytes, code: Bytes | undefined): WebAssembly.Module | undefined {
  if (!code || !isAtLeast(artifact, least) || !hasFlagsOf(id)) return undefined;
  return deserialize(ungraded(artifact), code);
}
