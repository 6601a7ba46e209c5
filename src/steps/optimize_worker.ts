// The worker's own file: takes one job, answers, and is ended by whoever started it. Side effects are its purpose.

import { type BinaryenPhase, optimize, type OptimizeJob } from "./optimize.ts";
import { type WorkerPort, workerPort } from "./worker.ts";

/** What the worker answers: phases as they begin, then how it ended. */
export type OptimizeAnswer =
  | { readonly kind: "phase"; readonly phase: BinaryenPhase }
  | { readonly kind: "done"; readonly output: Uint8Array<ArrayBuffer> }
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "failed"; readonly message: string };

/** How many of the lines that Binaryen prints are told when it fails. */
const MAX_LINES = 8;

workerPort().then((port) => port.listen((job) => void answer(port, job as OptimizeJob)));

async function answer(port: WorkerPort, job: OptimizeJob): Promise<void> {
  const send = (answer: OptimizeAnswer, transfer: ArrayBuffer[] = []) => port.post(answer, transfer);
  const invalid = whyInvalid(job.code);
  if (invalid !== undefined) return send({ kind: "invalid", message: invalid });
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

/** The engine's own message on code that is not valid. */
function whyInvalid(code: Uint8Array<ArrayBuffer>): string | undefined {
  if (WebAssembly.validate(code)) return undefined;
  try {
    new WebAssembly.Module(code);
  } catch (error) {
    return (error as Error).message;
  }
}
