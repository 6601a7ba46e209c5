// The engine that keeps V8's optimized machine code, and the choice between it and the host engine.

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
   * Which artifact is made behind the caller's back, for modules that have none:
   *
   * - `"profile"`: the functions that the first process executed, by another process of low priority, begun when the
   *   first ends or has run for ten seconds;
   * - `"full"`: all functions, in the same way; takes ten times as long;
   * - `"none"`: none; what is there is used.
   *
   * @default {"profile"}
   */
  artifact?: "profile" | "full" | "none";
}

/** {@linkcode v8Engine}: makes the engine, and tells beforehand whether it can. */
export interface V8EngineFactory {
  /**
   * Makes the engine.
   *
   * @throws {TypeError} Where {@linkcode V8EngineFactory.available} says no, or an option is not what it should be.
   */
  (options?: V8EngineOptions): Engine<WebAssembly.Module>;

  /** Tells whether this process can use the engine, and why not. */
  available(): V8Availability;
}

/**
 * Keeps V8's optimized machine code: on Node 22 to 25, a module that was run before starts at full speed.
 *
 * The first lookup of a code compiles as without a cache, and nothing waits for an artifact. When the process ends, what
 * V8 optimized is written down at once (some ms); another process has it loaded by a third, keeps it, and optimizes the
 * rest of what was executed when no program starts. `cache.warm` optimizes all and waits for it.
 *
 * Artifacts are machine code: whoever can write the directory can run code as you, so that directories which others can
 * write are refused. Before V8 is given anything, the entry's digests, the identity of code, Node, V8, its flags,
 * processor and trap handler are checked; and there is no entry that another process has not loaded, after it proved that
 * V8's calls work. Modules that export no function, or are smaller than 4 KB, are compiled as ever.
 *
 * @example Use it where it is there
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

/** {@linkcode v8Engine} where it is available, and else `hostEngine()`. */
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

/** Has the full artifact of a module made by other processes, and waits for it. */
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

/** Reads a module back; the flags of V8 may have been changed since it was asked for the identity. */
function load(id: string, least: Grade, artifact: Bytes, code: Bytes | undefined): WebAssembly.Module | undefined {
  if (!code || !isAtLeast(artifact, least) || !hasFlagsOf(id)) return undefined;
  return deserialize(ungraded(artifact), code);
}
