// Workers of either kind: the web's if the runtime has them, because only they start from a URL of any scheme;
// otherwise Node's.

import { clearTimer, letEnd, setTimer, type Timer } from "../platform/globals.ts";

/** Events of a worker, for its starter. */
export interface WorkerEvents {
  /** It posted a message. */
  message(data: unknown): void;
  /** It failed or ended. May also come after its work is done. */
  failed(error: Error): void;
}

/** A worker that was started. It keeps the process alive until it has ended. */
export interface StartedWorker {
  /** Posts a message to it. */
  post(message: unknown, transfer: ArrayBuffer[]): void;
  /** Lets it end by itself once it has closed its port, and terminates it if it does not. */
  leave(): void;
  /** Terminates it at once. */
  end(): void;
}

/** How long a worker that has closed its port may take to end; it may have timers of its own. */
const GRACE_MS = 10_000;

/**
 * Starts a worker.
 *
 * @param url Its module: an absolute URL, or a path that the runtime's workers accept.
 * @param events Callbacks for its events.
 * @returns The worker.
 */
export async function startWorker(url: string | URL, events: WorkerEvents): Promise<StartedWorker> {
  const { Worker: WebWorker } = globalThis as { Worker?: typeof Worker };
  return WebWorker ? startWebWorker(WebWorker, url, events) : await startNodeWorker(url, events);
}

function startWebWorker(WebWorker: typeof Worker, url: string | URL, events: WorkerEvents): StartedWorker {
  const worker = new WebWorker(url, { type: "module" });
  worker.addEventListener("message", ({ data }) => events.message(data));
  worker.addEventListener("messageerror", () => events.failed(ended("a message could not be read")));
  worker.addEventListener("error", (event) => {
    // Deno would end the program with the error.
    event.preventDefault();
    events.failed(event.error instanceof Error ? event.error : ended(event.message));
  });
  const started = startedWorker(worker);
  // Bun's only; Deno does not report the end.
  worker.addEventListener("close", () => started.ended(events, "no answer"));
  return started;
}

async function startNodeWorker(url: string | URL, events: WorkerEvents): Promise<StartedWorker> {
  const { Worker } = await import("node:worker_threads");
  // Only Node takes a string as a path.
  const worker = new Worker(typeof url === "string" && /^(file|data):/.test(url) ? new URL(url) : url);
  worker.on("message", events.message);
  worker.on("messageerror", events.failed);
  worker.on("error", events.failed);
  const started = startedWorker(worker);
  worker.on("exit", (code) => started.ended(events, `exit code ${code}`));
  return started;
}

interface AnyWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): unknown;
}

/**
 * The part that both kinds of worker share. A worker is not terminated without need: that stops its thread anywhere,
 * while threads of the engine still compile for it, and Node 24 was seen to crash.
 */
function startedWorker(worker: AnyWorker): StartedWorker & { ended(events: WorkerEvents, why: string): void } {
  let grace: Timer | undefined;
  const end = () => void worker.terminate();
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    leave: () => {
      grace = setTimer(end, GRACE_MS);
      letEnd(grace);
    },
    end,
    ended: (events, why) => {
      if (grace) clearTimer(grace);
      events.failed(ended(why));
    },
  };
}

function ended(why: string): Error {
  return new Error(`Cannot go on without the worker: it ended, ${why}`);
}
