// The engine of the runtime itself, through the standard `WebAssembly` object.

import { codeAsArtifact } from "./calls.ts";
import type { Engine } from "./engine.ts";
import { native } from "./runtime.ts";

/** How engines of WebAssembly compile: with the runtime's own calls. */
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
 * No runtime exports compiled code through a standard API, so the artifact is the code: an entry is a copy of it that
 * every runtime can read. Memory saves the whole compile. The disk saves nothing if the caller has the bytes, and a
 * lookup costs no more than a compile: the cache takes no lock for this engine, writes in the background, and does not
 * read back a copy of code that it was given.
 *
 * @returns The engine. Its id is the same on every runtime and version.
 *
 * @example Name the default engine
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
