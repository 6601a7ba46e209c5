// Settings of `register`, from environment variables.

import type { Facade } from "../wasmtime/facade/facade.ts";
import { absolute, defaultDirectory, variable } from "../platform/environment.ts";

/** Settings of a registered process. */
export interface Settings {
  /** Which engine compiles. */
  readonly engine: "auto" | "host" | "v8" | "wasmtime";
  /** What takes the place of the namespace's classes, and the least length of code that it looks up, bytes. */
  readonly facade?: Facade & { readonly minBytes: number };
  /** The directory, if one was named. */
  readonly directory?: string;
  /** The directory if none was named and the engine makes the disk pay. */
  readonly usualDirectory?: string;
  /** Most bytes of all entries. */
  readonly maxDiskBytes?: number;
  /** Least length of code that is looked up, bytes. */
  readonly minBytes: number;
  /** Writes nothing to the directory. */
  readonly readOnly: boolean;
  /** File with the secret that entries are signed with. */
  readonly secretFile?: string;
  /** Faults of the cache throw from the program's calls. */
  readonly strict: boolean;
  /** Prints a line for each lookup. */
  readonly traces: boolean;
  /** Prints a line when the process ends. */
  readonly summarizes: boolean;
}

/** Below this length a compile takes less than 0.5 ms, and a first lookup costs as much on top (bench/small_bench.ts). */
const MIN_BYTES = 64 * 1024;

const ENGINES: Record<string, Settings["engine"]> = { auto: "auto", host: "host", v8: "v8", wasmtime: "wasmtime" };
const FLAGS: Record<string, boolean> = { 1: true, true: true, 0: false, false: false };

/** Whether caching is switched off: `WASM_CACHE=off`. */
export function isOff(): boolean {
  return variable("WASM_CACHE") === "off";
}

/**
 * Reads the variables once: a program may change them, and its working directory. Invalid values are ignored and
 * reported.
 */
export function readSettings(): Settings {
  const oneOf = <T>(name: string, meanings: Record<string, T>) =>
    parsed(name, (text) => Object.hasOwn(meanings, text) ? meanings[text] : undefined);
  oneOf("WASM_CACHE", { on: true, off: false });
  const log = oneOf("WASM_CACHE_LOG", { summary: "summary", trace: "trace" });
  return {
    engine: oneOf("WASM_CACHE_ENGINE", ENGINES) ?? "auto",
    directory: absolute(variable("WASM_CACHE_DIR")),
    usualDirectory: defaultDirectory(),
    maxDiskBytes: parsed("WASM_CACHE_MAX_BYTES", (text) => byteCount(text) || undefined),
    minBytes: parsed("WASM_CACHE_MIN_BYTES", byteCount) ?? MIN_BYTES,
    readOnly: oneOf("WASM_CACHE_READ_ONLY", FLAGS) ?? false,
    secretFile: absolute(variable("WASM_CACHE_SECRET_FILE")),
    strict: oneOf("WASM_CACHE_STRICT", FLAGS) ?? false,
    traces: log === "trace",
    summarizes: log === "summary",
  };
}

function parsed<T>(name: string, parse: (text: string) => T | undefined): T | undefined {
  const text = variable(name);
  const value = text === undefined ? undefined : parse(text);
  if (text !== undefined && value === undefined) {
    say(`${name} is ignored: ${JSON.stringify(text)} means nothing`);
  }
  return value;
}

function byteCount(text: string): number | undefined {
  return /^\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
}

/** Prints a line to stderr. */
export function say(...line: unknown[]): void {
  try {
    console.error(`wasm-module-cache: ${line.join(": ")}`);
  } catch {
    // A thrown value may have no text, and the console is the program's.
  }
}

/** Prints a line about a lookup, or why there was none, if lookups are traced. */
export function trace({ traces }: Pick<Settings, "traces">, ...line: unknown[]): void {
  if (traces) say(...line);
}
