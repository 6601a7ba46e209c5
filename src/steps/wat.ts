// A step that translates WebAssembly text with wabt. Loads the library when the first text is translated.

import type { PrepareStep } from "../engine/prepared.ts";
import { defaultOf, type LoadLibrary, loadLibrary } from "./library.ts";

/** A proposal that wabt accepts only if it is allowed. */
export type WatFeature =
  | "annotations"
  | "code_metadata"
  | "exceptions"
  | "extended_const"
  | "function_references"
  | "gc"
  | "memory64"
  | "multi_memory"
  | "relaxed_simd"
  | "tail_call"
  | "threads";

/** Options of {@linkcode wat}. */
export interface WatOptions {
  /**
   * Proposals allowed beyond those that wabt accepts by default: mutable globals, saturating conversions, sign
   * extension, SIMD, several results, bulk memory, reference types. The runtime may accept others.
   *
   * @default {[]}
   */
  readonly features?: readonly WatFeature[];
  /**
   * Loads wabt, for bundles and wherever else it is not found beside this package: `() => import("wabt")`, in the
   * version that the step's id names. Not called on a hit, and no part of the step's id.
   *
   * @default Loads wabt as it is installed; on Deno, as npm has it.
   */
  readonly load?: () => Promise<unknown>;
}

const FEATURES: readonly WatFeature[] = [
  "annotations",
  "code_metadata",
  "exceptions",
  "extended_const",
  "function_references",
  "gc",
  "memory64",
  "multi_memory",
  "relaxed_simd",
  "tail_call",
  "threads",
];

/** The version that the step's id names. Any other is rejected. */
const VERSION = "1.0.39";

/** The part of wabt that is used. */
interface Wabt {
  parseWat(name: string, text: Uint8Array, features: Record<string, boolean>): WabtModule;
}

interface WabtModule {
  validate(features: Record<string, boolean>): void;
  toBinary(options: Record<string, never>): { buffer: Uint8Array };
  destroy(): void;
}

/**
 * Error of {@linkcode wat} for text that is not a module: a `WebAssembly.CompileError` with line and column.
 *
 * Its `cause` has wabt's whole report, with the line in question, as its message.
 */
export class WatError extends WebAssembly.CompileError {
  /** Always `"WatError"`. */
  override readonly name = "WatError";
  /** Line, from 1. */
  readonly line: number;
  /** Column in bytes, from 1. */
  readonly column: number;

  /**
   * Creates an error from wabt's report.
   *
   * @param report wabt's message: a headline, then `name:line:column: error: …` and the source for each error.
   */
  constructor(report: Error) {
    const [, line, column, said] = report.message.match(/^\w+:(\d+):(\d+)[^:]*: error: (.*)$/m) ?? [];
    super(`Cannot translate text at ${line ?? 1}:${column ?? 1}: ${said ?? report.message}`, { cause: report });
    this.line = Number(line ?? 1);
    this.column = Number(column ?? 1);
  }
}

/**
 * Creates a step that translates WebAssembly text (UTF-8) to binary code, for {@linkcode prepared}.
 *
 * Binary code passes through unchanged and unchecked, so one cache can take both. Names in the text are not written to
 * the binary. Synchronous lookups of text that is not cached work once this step has translated a text asynchronously,
 * because wabt is loaded asynchronously; those of cached text always work.
 *
 * wabt is not installed with this package: on Bun and Node install `wabt@1.0.39`; Deno loads it from npm.
 *
 * @param options Proposals to accept, and how to load wabt.
 * @returns The step. It throws a {@linkcode WatError} if the text is not a module, and an `Error` if wabt is not
 * installed in the version that the step's id names.
 * @throws {TypeError} When an option is invalid.
 * @throws {RangeError} When a feature is unknown.
 */
export function wat(options: WatOptions = {}): PrepareStep {
  const { features, load } = checkOptions(options);
  const allowed = Object.fromEntries(features.map((feature) => [feature, true]));
  let wabt: Wabt | undefined;
  return {
    id: [`wabt@${VERSION}`, ...features.map((feature) => `+${feature}`)].join(" "),
    prepare(code) {
      if (isBinary(code)) return code;
      // A value instead of a promise as soon as possible: synchronous lookups work from then on.
      if (wabt) return translate(wabt, code, allowed);
      return loadWabt(load).then((loaded) => translate(wabt = loaded, code, allowed));
    },
  };
}

async function loadWabt(load?: LoadLibrary): Promise<Wabt> {
  const library = load ? defaultOf(await load()) : await loadLibrary("wabt", VERSION);
  if (typeof library !== "function") throw new Error(`Cannot use wabt: what was loaded is not wabt@${VERSION}`);
  return await library() as Wabt;
}

function translate(wabt: Wabt, text: Uint8Array, features: Record<string, boolean>): Uint8Array {
  const module = refusing(() => wabt.parseWat("text", text, features));
  try {
    refusing(() => module.validate(features));
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

/** Turns wabt's error about a text into one with line and column. */
function refusing<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    // Its reports are plain errors. A trap, out of memory for example, is not the text's fault.
    if (error instanceof Error && error.constructor === Error) throw new WatError(error);
    throw error;
  }
}

function isBinary(code: Uint8Array): boolean {
  return code[0] === 0 && code[1] === 0x61 && code[2] === 0x73 && code[3] === 0x6d;
}

function checkOptions(options: unknown): Required<Pick<WatOptions, "features">> & WatOptions {
  const { features = [], load } = (options ?? {}) as WatOptions;
  if (!Array.isArray(features)) throw new TypeError("Cannot use wat: features must be an array");
  const unknown = features.find((feature) => !FEATURES.includes(feature));
  if (unknown !== undefined) throw new RangeError(`Cannot use wat: there is no feature ${JSON.stringify(unknown)}`);
  if (load !== undefined && typeof load !== "function") throw new TypeError("Cannot use wat: load must be a function");
  return { features: FEATURES.filter((feature) => features.includes(feature)), load };
}
