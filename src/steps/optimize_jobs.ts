// The worker's side of a run of Binaryen: takes a job, and answers. Knows nothing of who asks.

import { type BinaryenPhase, checkValid, optimize, type OptimizeJob } from "./optimize.ts";
import { type WorkerPort, workerPort } from "./worker.ts";

/** What the worker answers: that it is there, phases as they begin, then how it ended. */
export type OptimizeAnswer =
  | { readonly kind: "ready" }
  | { readonly kind: "phase"; readonly phase: BinaryenPhase }
  | { readonly kind: "done"; readonly output: Uint8Array<ArrayBuffer> }
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

/** How many of the lines that Binaryen prints are told when it fails. */
const MAX_LINES = 8;

/**
 * Makes the worker that calls it one of {@linkcode binaryenOptimizer}'s. For bundles, which do not have this package's
 * own: the module of a worker imports this, calls it, and is named by the option `worker`.
 *
 * @example A worker for a bundle, in a file of its own
 * ```ts no-eval
 * import { binaryenWorker } from "@wasm/module-cache/binaryen";
 *
 * binaryenWorker();
 * ```
 */
export function binaryenWorker(): void {
  void workerPort().then((port) => {
    port.listen((job) => void answer(port, job as OptimizeJob));
    port.post({ kind: "ready" } satisfies OptimizeAnswer, []);
  });
}

async function answer(port: WorkerPort, job: OptimizeJob): Promise<void> {
  const send = (answer: OptimizeAnswer, transfer: ArrayBuffer[] = []) => port.post(answer, transfer);
  try {
    checkValid(job.code);
  } catch (error) {
    return send({ kind: "invalid", message: (error as Error).message });
  }
  const printed: string[] = [];
  // Binaryen prints why it fails, and all that validation finds: a worker of its own is where that can be kept from
  // the user's console. It takes the function when it is loaded.
  console.error = (...line: unknown[]) => void (printed.length < MAX_LINES && printed.push(line.join(" ")));
  try {
    const output = await optimize(job, (phase) => {
      printed.length = 0;
      send({ kind: "phase", phase });
    });
    send({ kind: "done", output }, [output.buffer]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    send({ kind: "failed", message: [message, ...printed.filter((line) => !message.includes(line))].join("\n") });
  }
}
