// The caller's side of a run of Binaryen in a worker. Knows no options of the step.

import { clearTimer, setTimer } from "../platform/globals.ts";
import type { BinaryenPhase, OptimizeJob } from "./optimize.ts";
import type { OptimizeAnswer, OptimizeEnd } from "./optimize_jobs.ts";
import { startWorker } from "./worker.ts";

/** No worker can do the work: it did not start, or finds no Binaryen. */
export class NoWorker extends Error {}

/** How long a worker may take to start. It loads a few small files; Binaryen comes later. */
const READY_TIMEOUT_MS = 30_000;

/**
 * Runs one job in a worker.
 *
 * @param job The job; its code is transferred.
 * @param url Module of the worker.
 * @param report Called when a phase begins. If it throws or rejects, the run ends with that error.
 * @param readyTimeoutMs How long the worker may take to start.
 * @returns The output.
 * @throws {NoWorker} When the worker cannot start, or finds no Binaryen.
 */
export async function runInWorker(
  job: OptimizeJob,
  url: string | URL,
  report: (phase: BinaryenPhase) => unknown,
  readyTimeoutMs = READY_TIMEOUT_MS,
): Promise<Uint8Array> {
  const ready = Promise.withResolvers<void>();
  const end = Promise.withResolvers<OptimizeEnd>();
  end.promise.catch(() => {});
  const failed = (error: Error) => {
    // The first rejection counts: a worker that was ready has started.
    ready.reject(notStarted(error));
    end.reject(error);
  };
  const message = listener(report, { ready: ready.resolve, end: end.resolve, failed: end.reject });
  const worker = await startWorker(url, { message, failed }).catch((error) => {
    throw notStarted(error);
  });
  let leave = worker.end;
  try {
    await inTime(ready.promise, readyTimeoutMs);
    worker.post(job, [job.code.buffer]);
    const answer = await end.promise;
    leave = worker.leave;
    return outputOf(answer);
  } finally {
    leave();
  }
}

function notStarted(cause: Error): NoWorker {
  return new NoWorker(`Cannot start Binaryen's worker: ${cause.message}`, { cause });
}

/** Deno does not report a worker that ends by itself. */
async function inTime(ready: Promise<void>, timeoutMs: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimer(() => late.reject(notStarted(new Error(`no answer in ${timeoutMs} ms`))), timeoutMs);
  try {
    await Promise.race([ready, late.promise]);
  } finally {
    clearTimer(timer);
  }
}

interface Settling {
  ready(): void;
  end(end: OptimizeEnd): void;
  failed(error: unknown): void;
}

/** Handles the answers of a worker. If `report` throws or rejects, the run ends with that error. */
function listener(report: (phase: BinaryenPhase) => unknown, { ready, end, failed }: Settling) {
  return async (data: unknown) => {
    const answer = data as OptimizeAnswer;
    if (answer.kind === "ready") return ready();
    if (answer.kind !== "phase") return end(answer);
    try {
      await report(answer.phase);
    } catch (error) {
      failed(error);
    }
  };
}

function outputOf(end: OptimizeEnd): Uint8Array {
  if (end.kind === "done") return end.output;
  if (end.kind === "invalid") throw new WebAssembly.CompileError(end.message);
  if (end.kind === "notInstalled") throw new NoWorker(end.message);
  throw new Error(`Cannot optimize code: ${end.message}`);
}
