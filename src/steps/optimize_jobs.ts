// The worker's side of a run of Binaryen: takes a job, and answers. Knows nothing of the caller.

import { type LoadLibrary, NotInstalled } from "./library.ts";
import { type BinaryenPhase, checkValid, optimize, type OptimizeJob } from "./optimize.ts";
import { type WorkerPort, workerPort } from "./worker_port.ts";

/** How a run ended. */
export type OptimizeEnd =
  | { readonly kind: "done"; readonly output: Uint8Array<ArrayBuffer> }
  | { readonly kind: "invalid" | "failed" | "notInstalled"; readonly message: string };

/** Answers of the worker: that it is ready, phases as they begin, then the result. */
export type OptimizeAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "phase"; readonly phase: BinaryenPhase }
  | OptimizeEnd;

/** Options of {@linkcode binaryenWorker}. */
export interface BinaryenWorkerOptions {
  /**
   * Loads Binaryen, for bundles that contain it: `() => import("binaryen")`, in the version that the step's id names.
   *
   * @default Loads Binaryen as it is installed; on Deno, as npm has it.
   */
  readonly load?: () => Promise<unknown>;
}

/** How many of the lines that Binaryen prints go into the error. */
const MAX_LINES = 8;

/**
 * Turns the calling worker into one for {@linkcode binaryenOptimizer}, for one run. For bundles, which do not contain
 * this package's own worker: write a module that calls this, and name it by the option `worker`.
 *
 * @param options How Binaryen is loaded.
 *
 * @example A worker for a bundle, in a file of its own
 * ```ts no-eval
 * import { binaryenWorker } from "@wasm/module-cache/binaryen";
 *
 * binaryenWorker({ load: () => import("binaryen") });
 * ```
 */
export function binaryenWorker(options: BinaryenWorkerOptions = {}): void {
  void workerPort().then((port) => {
    port.listen(async (job) => {
      const end = await run(port, job as OptimizeJob, options.load);
      port.post(end, end.kind === "done" ? [end.output.buffer] : []);
      port.close();
    });
    port.post({ kind: "ready" } satisfies OptimizeAnswer, []);
  });
}

async function run(port: WorkerPort, job: OptimizeJob, load?: LoadLibrary): Promise<OptimizeEnd> {
  try {
    checkValid(job.code);
  } catch (error) {
    return { kind: "invalid", message: (error as Error).message };
  }
  const printed: string[] = [];
  // Binaryen prints why it fails, and all that validation finds: a worker of its own is where that can be kept from
  // the user's console. It takes the function when it is loaded.
  console.error = (...line: unknown[]) => void (printed.length < MAX_LINES && printed.push(line.join(" ")));
  const onPhase = (phase: BinaryenPhase) => {
    printed.length = 0;
    port.post({ kind: "phase", phase } satisfies OptimizeAnswer, []);
  };
  try {
    return { kind: "done", output: await optimize(job, onPhase, load) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof NotInstalled) return { kind: "notInstalled", message };
    return { kind: "failed", message: [message, ...printed.filter((line) => !message.includes(line))].join("\n") };
  }
}
