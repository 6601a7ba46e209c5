// A step that optimizes code by Binaryen, in a worker where there is one. Loads neither before it has something to do.

import { limiter } from "../effect.ts";
import type { PrepareStep } from "../engine/prepared.ts";
import { clock } from "../platform/globals.ts";
import { type BinaryenFeature, FEATURES } from "./features.ts";
import type { LoadLibrary } from "./library.ts";
import { type BinaryenPhase, checkValid, optimize, type OptimizeJob, VERSION } from "./optimize.ts";
import { NoWorker, runInWorker } from "./optimize_run.ts";
// What makes the worker part of the package, for nothing else names its file so that tools see it.
import type {} from "./optimize_worker.ts";

/** How far a run has come. */
export interface BinaryenProgress {
  /** What has just begun. */
  readonly phase: BinaryenPhase;
  /** Time since the worker was asked for, ms. */
  readonly elapsedMs: number;
}

/** Options of {@linkcode binaryenOptimizer}. */
export interface BinaryenOptions {
  /**
   * How much to do for speed, 0 to 4, as in `wasm-opt -O2`. With 0 here and for size, code is read and written only.
   *
   * @default {2}
   */
  readonly optimizeLevel?: number;
  /**
   * How much to do for size, 0 to 2: `-Os` is 1, `-Oz` is 2.
   *
   * @default {0}
   */
  readonly shrinkLevel?: number;
  /**
   * Proposals that the output may use although the code does not, by Binaryen's names for them. Without it the output
   * loads wherever the code does.
   *
   * @default {[]}
   */
  readonly features?: readonly BinaryenFeature[];
  /**
   * Called when a phase of a run begins; what it throws is what the lookup throws. Not called on a hit, and no part of
   * the step's id. Within `"optimize"`, which takes the longest, Binaryen says nothing of how far it is.
   */
  readonly onProgress?: (progress: BinaryenProgress) => void;
  /**
   * Module of the worker, for bundles, which do not have this package's own: `new URL("./worker.js", import.meta.url)`,
   * of a file that calls {@linkcode binaryenWorker}. No part of the step's id.
   */
  readonly worker?: string | URL;
  /**
   * Loads Binaryen in this thread, where no worker can do the work: `() => import("binaryen")`, of the version that the
   * step's id names. A function cannot be sent to a worker: give it to {@linkcode binaryenWorker} there. Not called on a
   * hit, and no part of the step's id.
   *
   * @default Loads Binaryen as it is installed; on Deno, as npm has it.
   */
  readonly load?: () => Promise<unknown>;
}

/** The same, checked. */
type Settings = Omit<OptimizeJob, "code">;

/** Where runs are, and who hears of them. */
interface Run {
  readonly worker?: string | URL;
  readonly load?: LoadLibrary;
  report(phase: BinaryenPhase): void;
}

/** Runs at once, of one step. Each has its own Binaryen, which for a module of 14 MB takes more than 1 GB. */
const MAX_RUNS = 2;

/** The package's own worker. A CommonJS bundle knows no URL, and other bundles have none at this one. */
function ownWorker(): URL | undefined {
  const { url } = import.meta as { url?: string };
  return url === undefined ? undefined : new URL(`./optimize_worker${url.endsWith(".js") ? ".js" : ".ts"}`, url);
}

/**
 * Makes a step that optimizes code by Binaryen, for {@linkcode prepared}.
 *
 * Each run has a worker of its own, so the program goes on meanwhile, and the memory is given back after. No more than
 * two run at once; others wait. The output uses no proposal that the code does not use, but for those named: it loads
 * wherever the code does. Exports stay as they are, and so do imports but for their order and those that are not used;
 * names for debugging and DWARF go.
 *
 * There is no synchronous twin, for a worker cannot be waited for: `resolveSync` finds what an asynchronous lookup
 * made, in memory and on disk, and is a `TypeError` where there is nothing yet.
 *
 * Binaryen is no dependency of this package: Bun and Node need `binaryen@132.0.0` installed, Deno loads it from npm.
 *
 * To start a worker from files of this machine, Deno wants `--allow-read` for this package's `src/steps`, and Node's
 * permission model `--allow-worker`. A hit wants neither. Where this package's own worker cannot be started, in a bundle
 * for one, or does not find Binaryen, code is optimized in the thread that asks, which stands still meanwhile; a warning
 * on the console says so once. The option `worker` names another one.
 *
 * @param options Levels and features.
 * @returns The step. It throws the engine's `WebAssembly.CompileError` for code that is not valid, and an `Error` where
 * Binaryen fails, or is not installed in the version that the step's id names.
 * @throws {TypeError} When an option is of the wrong type.
 * @throws {RangeError} When a level or a feature does not exist.
 */
export function binaryenOptimizer(options: BinaryenOptions = {}): PrepareStep {
  const settings = checkOptions(options);
  const { optimizeLevel, shrinkLevel, features } = settings;
  const { onProgress = () => {}, worker, load } = options;
  const limited = limiter(MAX_RUNS);
  return {
    id: [`binaryen@${VERSION}`, `-O${optimizeLevel}`, `-s${shrinkLevel}`, ...features.map((name) => `+${name}`)].join(
      " ",
    ),
    prepare: (code) =>
      limited(() => {
        const start = clock();
        const report: Run["report"] = (phase) => onProgress({ phase, elapsedMs: clock() - start });
        return run({ ...settings, code }, { worker, load, report });
      }),
  };
}

async function run(job: OptimizeJob, { worker, load, report }: Run): Promise<Uint8Array> {
  const url = worker ?? ownWorker();
  try {
    if (url === undefined) throw new NoWorker("Cannot start Binaryen's worker: this is a CommonJS bundle");
    // A copy, for it is transferred, and the cache keeps its own.
    return await runInWorker({ ...job, code: job.code.slice() }, url, report);
  } catch (error) {
    if (!(error instanceof NoWorker) || worker !== undefined) throw error;
    checkValid(job.code);
    return await optimize(job, (phase) => (warnOnce(error, phase), report(phase)), load);
  }
}

let hasWarned = false;

/** Warns when Binaryen has been loaded: where it cannot be, the error says so. */
function warnOnce({ message }: Error, phase: BinaryenPhase): void {
  if (hasWarned || phase === "load") return;
  console.warn(`${message}; code is optimized in this thread, which stands still meanwhile`);
  hasWarned = true;
}

function checkOptions(options: unknown): Settings {
  const { optimizeLevel = 2, shrinkLevel = 0, features = [], onProgress, worker, load } =
    (options ?? {}) as BinaryenOptions;
  checkLevel("optimizeLevel", optimizeLevel, 4);
  checkLevel("shrinkLevel", shrinkLevel, 2);
  if (!Array.isArray(features)) throw new TypeError("Cannot use Binaryen: features must be an array");
  const unknown = features.find((feature) => !FEATURES.includes(feature));
  if (unknown !== undefined) {
    throw new RangeError(`Cannot use Binaryen: there is no feature ${JSON.stringify(unknown)}`);
  }
  for (const [name, call] of Object.entries({ onProgress, load })) {
    if (call !== undefined && typeof call !== "function") {
      throw new TypeError(`Cannot use Binaryen: ${name} must be a function`);
    }
  }
  if (worker !== undefined && typeof worker !== "string" && !(worker instanceof URL)) {
    throw new TypeError("Cannot use Binaryen: worker must be a string or a URL");
  }
  return { optimizeLevel, shrinkLevel, features: FEATURES.filter((feature) => features.includes(feature)) };
}

function checkLevel(name: string, level: unknown, max: number): void {
  if (typeof level !== "number") throw new TypeError(`Cannot use Binaryen: ${name} must be a number`);
  if (Number.isInteger(level) && level >= 0 && level <= max) return;
  throw new RangeError(`Cannot use Binaryen: ${name} must be an integer from 0 to ${max}, not ${level}`);
}
