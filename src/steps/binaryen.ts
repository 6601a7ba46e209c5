// A step that optimizes code with Binaryen, in a worker if possible. Loads neither before there is work.

import { limiter } from "../effect.ts";
import type { PrepareStep } from "../engine/prepared.ts";
import { clock } from "../platform/globals.ts";
import { type BinaryenFeature, FEATURES } from "./features.ts";
import type { LoadLibrary } from "./library.ts";
import { type BinaryenPhase, checkValid, optimize, type OptimizeJob, VERSION } from "./optimize.ts";
import { NoWorker, runInWorker } from "./optimize_run.ts";
// Makes the worker part of the package: nothing else names its file in a way that tools see.
import type {} from "./optimize_worker.ts";

/** Progress of a run. */
export interface BinaryenProgress {
  /** The phase that has just begun. */
  readonly phase: BinaryenPhase;
  /** Time since the run was requested, ms. */
  readonly elapsedMs: number;
}

/** Options of {@linkcode binaryenOptimizer}. */
export interface BinaryenOptions {
  /**
   * Effort for speed, 0 to 4, as in `wasm-opt -O2`. If both levels are 0, code is only read and written.
   *
   * @default {2}
   */
  readonly optimizeLevel?: number;
  /**
   * Effort for size, 0 to 2: `-Os` is 1, `-Oz` is 2.
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
   * Called when a phase of a run begins; if it throws, the lookup throws that. Not called on a hit, and no part of the
   * step's id. Within `"optimize"`, the longest phase, Binaryen reports no progress.
   */
  readonly onProgress?: (progress: BinaryenProgress) => void;
  /**
   * Module of the worker, for bundles, which do not contain this package's own:
   * `new URL("./worker.js", import.meta.url)`, a file that calls {@linkcode binaryenWorker}. No part of the step's id.
   */
  readonly worker?: string | URL;
  /**
   * Loads Binaryen in this thread if no worker can do the work: `() => import("binaryen")`, in the version that the
   * step's id names. A function cannot be sent to a worker: pass it to {@linkcode binaryenWorker} there. Not called on
   * a hit, and no part of the step's id.
   *
   * @default Loads Binaryen as it is installed; on Deno, as npm has it.
   */
  readonly load?: () => Promise<unknown>;
}

/** The same, checked. */
type Settings = Omit<OptimizeJob, "code">;

/** Where a run takes place, and who is told of its progress. */
interface Run {
  readonly worker?: string | URL;
  readonly load?: LoadLibrary;
  report(phase: BinaryenPhase): void;
}

/** Runs of a step at the same time. Each has its own Binaryen, which for a module of 14 MB takes more than 1 GB. */
const MAX_RUNS = 2;

/** The package's own worker. A CommonJS bundle has no URL of its own, and other bundles have no file at this one. */
function ownWorker(): URL | undefined {
  const { url } = import.meta as { url?: string };
  return url === undefined ? undefined : new URL(`./optimize_worker${url.endsWith(".js") ? ".js" : ".ts"}`, url);
}

/**
 * Creates a step that optimizes code with Binaryen, for {@linkcode prepared}.
 *
 * Each run has a worker of its own, so the program continues meanwhile, and the memory is freed afterwards. At most two
 * run at once; others wait. The output uses no proposal that the code does not use, except those named in `features`,
 * so it loads wherever the code does. Exports stay as they are. Imports stay, but may be reordered, and unused ones are
 * dropped; so are debug names and DWARF.
 *
 * There is no synchronous form, because a worker cannot be waited for: `resolveSync` finds what an asynchronous lookup
 * made, in memory and on disk, and throws a `TypeError` if there is nothing yet.
 *
 * Binaryen is not installed with this package: on Bun and Node install `binaryen@132.0.0`; Deno loads it from npm.
 *
 * To start a worker from local files, Deno needs `--allow-read` for this package's `src/steps`, and Node's permission
 * model `--allow-worker`. A hit needs neither. If this package's own worker cannot be started, in a bundle for example,
 * or does not find Binaryen, the code is optimized in the calling thread, which is blocked meanwhile; one warning on
 * the console says so. The option `worker` names another worker.
 *
 * @param options Levels and features.
 * @returns The step. It throws the engine's `WebAssembly.CompileError` if the code is not valid, and an `Error` if
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
    // A copy, because it is transferred, and the cache keeps its own.
    return await runInWorker({ ...job, code: job.code.slice() }, url, report);
  } catch (error) {
    if (!(error instanceof NoWorker) || worker !== undefined) throw error;
    checkValid(job.code);
    return await optimize(job, (phase) => (warnOnce(error, phase), report(phase)), load);
  }
}

let hasWarned = false;

/** Warns once Binaryen has been loaded: if it cannot be, the error says so. */
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
