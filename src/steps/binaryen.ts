// A step that optimizes code by Binaryen, in a worker where there is one. Loads neither before it has something to do.

import type { PrepareStep } from "../engine/prepared.ts";
import { clock } from "../platform/globals.ts";
import { type BinaryenFeature, FEATURES } from "./features.ts";
import { type BinaryenPhase, checkValid, optimize, type OptimizeJob, VERSION } from "./optimize.ts";
import type { OptimizeAnswer } from "./optimize_jobs.ts";
// What makes the worker part of the package, for nothing else names its file so that tools see it.
import type {} from "./optimize_worker.ts";
import { startWorker } from "./worker.ts";

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
}

/** The same, checked. */
type Settings = Omit<OptimizeJob, "code">;

/** Where runs are, and who hears of them. */
interface Run {
  readonly worker?: string | URL;
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
 * To start a worker from files of this machine, Deno wants `--allow-read` for this package's `src/steps`, and Node's
 * permission model `--allow-worker`. A hit wants neither. Where this package's own worker cannot be started, in a bundle
 * for one, code is optimized in the thread that asks, which stands still meanwhile; a warning on the console says so
 * once. The option `worker` names another one.
 *
 * @param options Levels and features.
 * @returns The step. It throws the engine's `WebAssembly.CompileError` for code that is not valid, and an `Error` where
 * Binaryen fails or is of another version than the step's id says.
 * @throws {TypeError} When an option is of the wrong type.
 * @throws {RangeError} When a level or a feature does not exist.
 */
export function binaryenOptimizer(options: BinaryenOptions = {}): PrepareStep {
  const settings = checkOptions(options);
  const { optimizeLevel, shrinkLevel, features } = settings;
  const { onProgress = () => {}, worker } = options;
  const limited = limiter(MAX_RUNS);
  return {
    id: [`binaryen@${VERSION}`, `-O${optimizeLevel}`, `-s${shrinkLevel}`, ...features.map((name) => `+${name}`)].join(
      " ",
    ),
    prepare: (code) =>
      limited(() => {
        const start = clock();
        const report: Run["report"] = (phase) => onProgress({ phase, elapsedMs: clock() - start });
        return run({ ...settings, code: code.slice() }, { worker, report });
      }),
  };
}

async function run(job: OptimizeJob, { worker, report }: Run): Promise<Uint8Array> {
  const url = worker ?? ownWorker();
  try {
    if (url === undefined) throw new NotStarted("this is a CommonJS bundle");
    return await runInWorker(job, { worker: url, report });
  } catch (error) {
    if (!(error instanceof NotStarted) || worker !== undefined) throw error;
    warnOnce(error);
  }
  checkValid(job.code);
  return await optimize(job, report);
}

/** The worker did not get so far as to take a job. */
class NotStarted extends Error {
  constructor(why: unknown) {
    super(`Cannot start Binaryen's worker: ${why instanceof Error ? why.message : why}`, { cause: why });
  }
}

let hasWarned = false;

function warnOnce({ message }: Error): void {
  if (!hasWarned) console.warn(`${message}; code is optimized in this thread, which stands still meanwhile`);
  hasWarned = true;
}

/** Has one job done by a worker. */
async function runInWorker(job: OptimizeJob, { worker: url, report }: Required<Run>): Promise<Uint8Array> {
  const ready = Promise.withResolvers<void>();
  const output = Promise.withResolvers<Uint8Array>();
  const message = listener(report, { ready: ready.resolve, ...output });
  const failed = (error: Error) => {
    // The first one counts: what was ready has been started.
    ready.reject(new NotStarted(error));
    output.reject(error);
  };
  output.promise.catch(() => {});
  const worker = await startWorker(url, { message, failed }).catch((error) => {
    throw new NotStarted(error);
  });
  try {
    await ready.promise;
    worker.post(job, [job.code.buffer]);
    return await output.promise;
  } finally {
    worker.end();
  }
}

interface Settling {
  ready(): void;
  resolve(output: Uint8Array): void;
  reject(error: unknown): void;
}

/** What is done with answers of a worker; what `report` throws or rejects with is how the run ends. */
function listener(report: Run["report"], { ready, resolve, reject }: Settling): (answer: unknown) => void {
  const answers: { [K in OptimizeAnswer["kind"]]: (answer: Extract<OptimizeAnswer, { kind: K }>) => unknown } = {
    ready,
    phase: ({ phase }) => report(phase),
    done: ({ output }) => resolve(output),
    invalid: ({ message }) => reject(new WebAssembly.CompileError(message)),
    failed: ({ message }) => reject(new Error(`Cannot optimize code: ${message}`)),
  };
  return async (answer) => {
    try {
      await answers[(answer as OptimizeAnswer).kind](answer as never);
    } catch (error) {
      reject(error);
    }
  };
}

/** Lets no more than so many calls run at once; the others wait in turn. */
function limiter(max: number): <T>(call: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (call) => {
    if (running === max) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await call();
    } finally {
      // The place goes to the next one as it is: a call that comes in between cannot take it.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

function checkOptions(options: unknown): Settings {
  const { optimizeLevel = 2, shrinkLevel = 0, features = [], onProgress, worker } = (options ?? {}) as BinaryenOptions;
  checkLevel("optimizeLevel", optimizeLevel, 4);
  checkLevel("shrinkLevel", shrinkLevel, 2);
  if (!Array.isArray(features)) throw new TypeError("Cannot use Binaryen: features must be an array");
  const unknown = features.find((feature) => !FEATURES.includes(feature));
  if (unknown !== undefined) {
    throw new RangeError(`Cannot use Binaryen: there is no feature ${JSON.stringify(unknown)}`);
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError("Cannot use Binaryen: onProgress must be a function");
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
