// The engine of the runtime itself, through the standard `WebAssembly` object.

import { codeAsArtifact } from "./calls.ts";
import type { Engine } from "./engine.ts";
import { native } from "./runtime.ts";

/** How the engines of WebAssembly compile: as the runtime does. */
export const compiling: Required<
  Pick<Engine, "compile" | "compileSync" | "compileWithOptions" | "compileWithOptionsSync">
> = {
  compile: (code) => native.compile(code),
  compileSync: (code) => new native.Module(code),
  compileWithOptions: (code, options) => native.compile(code, options),
  compileWithOptionsSync: (code, options) => new native.Module(code, options),
};

/**
 * Compiles with the runtime's own `WebAssembly`.
 *
 * No runtime lets a program write down what this compiles, so the artifact is the code: an entry is a
 * content-addressed copy that any runtime can read. The memory tier saves the whole compile; the disk tier saves nothing
 * while the bytes are at hand, and costs no more than a plain compile: the cache takes no lock for this engine, writes
 * behind the caller's back, and reads no copy of code that it was given.
 *
 * @returns The engine; its id is the same on every runtime and version.
 *
 * @example Name the default
 * ```ts
 * import { hostEngine, ModuleCache } from "@wasm/module-cache";
 *
 * const cache = new ModuleCache({ engine: hostEngine() });
 * console.log(cache.status().disk); // "off"
 * ```
 */
export function hostEngine(): Engine<WebAssembly.Module> {
  return {
    ...compiling,
    id: "host",
    ...(native.compileStreaming ? { compileStreaming: (response) => native.compileStreaming!(response) } : {}),
    serialize: codeAsArtifact,
    deserialize: compiling.compile,
    deserializeSync: compiling.compileSync,
  };
}
