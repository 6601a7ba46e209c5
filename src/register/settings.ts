// What the environment variables of `register` say.

import { absolute, defaultDirectory, variable } from "../platform/environment.ts";

/** How a registered process caches. */
export interface Settings {
  /** What compiles. */
  readonly engine: "auto" | "host" | "v8";
  /** Where entries are kept, where somebody said so. */
  readonly directory?: string;
  /** Where they are kept where an engine makes that pay and nobody said so. */
  readonly usualDirectory?: string;
  /** Bytes of all entries. */
  readonly maxDiskBytes?: number;
  /** Prints a line for each lookup. */
  readonly traces: boolean;
}

/** Whether nothing shall be cached: `WASM_CACHE=off`. */
export function isOff(): boolean {
  return variable("WASM_CACHE") === "off";
}

/** Reads the variables, once: a program may change them, and its working directory. What makes no sense is left out. */
export function readSettings(): Settings {
  const engine = variable("WASM_CACHE_ENGINE");
  const maxBytes = Number(variable("WASM_CACHE_MAX_BYTES"));
  return {
    engine: engine === "host" || engine === "v8" ? engine : "auto",
    directory: absolute(variable("WASM_CACHE_DIR")),
    usualDirectory: defaultDirectory(),
    ...(Number.isSafeInteger(maxBytes) && maxBytes > 0 ? { maxDiskBytes: maxBytes } : {}),
    traces: variable("WASM_CACHE_LOG") === "trace",
  };
}
