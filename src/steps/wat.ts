// A step that takes WebAssembly text, by wabt. The library is loaded when a text is first translated, not before.

import type { PrepareStep } from "../engine/prepared.ts";
import { defaultOf, type LoadLibrary, loadLibrary } from "./library.ts";

/** A proposal that wabt reads only where it is allowed to. */
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
   * Proposals allowed beyond those that wabt takes by itself: mutable globals, saturating conversions, sign extension,
   * SIMD, several results, bulk memory, reference types. What the runtime takes is another question.
   *
   * @default {[]}
   */
  readonly features?: readonly WatFeature[];
  /**
   * Loads wabt, for bundles and wherever else it is not found beside this package: `() => import("wabt")`, of the version
   * that the step's id names. Not called on a hit, and no part of the step's id.
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

/** The version this step names; another one refuses to load. */
const VERSION = "1.0.39";

/** What is used of wabt. */
interface Wabt {
  parseWat(name: string, text: Uint8Array, features: Record<string, boolean>): WabtModule;
}

interface WabtModule {
  validate(features: Record<string, boolean>): void;
  toBinary(options: Record<string, never>): { buffer: Uint8Array };
  destroy(): void;
}

/**
 * What {@linkcode wat} throws for a text that is no module: a `WebAssembly.CompileError` that says where.
 *
 * The whole report of wabt, with the line in question, is its `cause`'s message.
 */
export class WatError extends WebAssembly.CompileError {
  /** Always `"WatError"`. */
  override readonly name = "WatError";
  /** Line, from 1. */
  readonly line: number;
  /** Column in bytes, from 1. */
  readonly column: number;

  /**
   * Makes an error from what wabt threw.
   *
   * @param report Its message: a headline, then `name:line:column: error: …` and the source for each error.
   */
  constructor(report: Error) {
    const [, line, column, said] = report.message.match(/^\w+:(\d+):(\d+)[^:]*: error: (.*)$/m) ?? [];
    super(`Cannot translate text at ${line ?? 1}:${column ?? 1}: ${said ?? report.message}`, { cause: report });
    this.line = Number(line ?? 1);
    this.column = Number(column ?? 1);
  }
}

/**
 * Makes a step that translates WebAssembly text, as UTF-8, to binary code, for {@linkcode prepared}.
 *
 * Code that is binary already passes through unchanged, so that one cache takes both; it may still be no module. Names
 * in the text are not written to the binary. Synchronous lookups of a text that is not cached work once this step has
 * translated one asynchronously, for wabt itself is loaded by promises; those of cached text always work.
 *
 * wabt is no dependency of this package: Bun and Node need `wabt@1.0.39` installed, Deno loads it from npm.
 *
 * @param options What may be read.
 * @returns The step. It throws {@linkcode WatError} for what is no module, and an `Error` where wabt is not installed in
 * the version that its id names.
 * @throws {TypeError} When the options are not what they should be.
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
      // A value, not a promise, as soon as it can be: synchronous lookups work from then on.
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

/** Makes what wabt throws of a text an error that says where. */
function refusing<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    // Its reports are plain errors; a trap, in memory that is used up for one, is not the text's fault.
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
