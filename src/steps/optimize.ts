// One run of Binaryen over one module. Blocks its thread; knows nothing of workers.

import {
  type BinaryenFeature,
  complete,
  type FeatureBits,
  type FeatureModule,
  FEATURES,
  neededFeatures,
} from "./features.ts";
import { defaultOf, type LoadLibrary, loadLibrary } from "./library.ts";

/** The version that the step's id names. Any other is rejected. */
export const VERSION = "132.0.0";

/** Phases of a run. */
export type BinaryenPhase = "load" | "read" | "features" | "optimize" | "write";

/** A job: code and settings. */
export interface OptimizeJob {
  /** The code, already validated. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Effort for speed, 0 to 4. */
  readonly optimizeLevel: number;
  /** Effort for size, 0 to 2. */
  readonly shrinkLevel: number;
  /** Features that the output may use although the code does not. */
  readonly features: readonly BinaryenFeature[];
}

/** The part of Binaryen that is used; its own types lag behind it. */
interface Binaryen {
  readonly Features: FeatureBits;
  readBinary(code: Uint8Array, features: number): BinaryenModule;
  setOptimizeLevel(level: number): void;
  setShrinkLevel(level: number): void;
}

interface BinaryenModule extends FeatureModule {
  optimize(): void;
  emitBinary(): Uint8Array;
  dispose(): void;
}

/**
 * Rejects code that is not valid.
 *
 * @throws {WebAssembly.CompileError} With the engine's own message.
 */
export function checkValid(code: Uint8Array<ArrayBuffer>): void {
  if (!WebAssembly.validate(code)) new WebAssembly.Module(code);
}

/**
 * Optimizes code, using only the proposals that it uses itself and those named.
 *
 * @param job The code and the settings.
 * @param onPhase Called when a phase begins.
 * @param load Loads Binaryen; by default the installed one.
 * @returns The output, in its own memory.
 * @throws {NotInstalled} When Binaryen cannot be found.
 * @throws {Error} When Binaryen rejects the code, or the runtime rejects the output.
 */
export async function optimize(
  { code, optimizeLevel, shrinkLevel, features }: OptimizeJob,
  onPhase: (phase: BinaryenPhase) => unknown,
  load?: LoadLibrary,
): Promise<Uint8Array<ArrayBuffer>> {
  await onPhase("load");
  const binaryen = await loadBinaryen(load);
  const bits = binaryen.Features;
  await onPhase("read");
  const module = binaryen.readBinary(code, bits.All);
  try {
    await onPhase("features");
    const wanted = complete(features.reduce((all, feature) => all | bits[feature], 0), bits);
    if (neededFeatures(module, bits, wanted) === undefined) throw new Error("Binaryen finds it invalid");
    await onPhase("optimize");
    // These settings are global in the library: another run's must not affect this one.
    binaryen.setOptimizeLevel(optimizeLevel);
    binaryen.setShrinkLevel(shrinkLevel);
    // At level 0 the default passes still take minutes for a large module; `wasm-opt` runs none then.
    if (optimizeLevel > 0 || shrinkLevel > 0) module.optimize();
    await onPhase("write");
    return accepted(module.emitBinary());
  } finally {
    module.dispose();
  }
}

async function loadBinaryen(load?: LoadLibrary): Promise<Binaryen> {
  const binaryen = (load ? defaultOf(await load()) : await loadLibrary("binaryen", VERSION)) as Partial<Binaryen>;
  // A library that the caller loads does not say its version; every version so far has had features of its own.
  const names = Object.entries(binaryen?.Features ?? {}).filter(([name, bit]) => name !== "All" && bit !== 0);
  if (names.map(([name]) => name).sort().join() === FEATURES.join()) return binaryen as Binaryen;
  throw new Error(`what was loaded is not binaryen@${VERSION}`);
}

function accepted(output: Uint8Array): Uint8Array<ArrayBuffer> {
  const own = output.slice();
  if (WebAssembly.validate(own)) return own;
  throw new Error("this runtime refuses what Binaryen made of it");
}
