// The worker's own side. It imports nothing outside this folder: that is all that Deno must be allowed to read to start a
// worker.

/** The port of a worker. */
export interface WorkerPort {
  /** Posts a message to the worker's starter. */
  post(message: unknown, transfer: ArrayBuffer[]): void;
  /** Sets the handler of messages. Earlier messages wait for it. */
  listen(listener: (data: unknown) => void): void;
  /** Closes the port: the worker ends when it has nothing else to do. Messages already posted arrive. */
  close(): void;
}

/** Globals that differ between runtimes. */
interface Globals {
  postMessage?(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener?(type: "message", listener: (event: MessageEvent) => void): void;
  removeEventListener?(type: "message", listener: (event: MessageEvent) => void): void;
  /** In Deno's workers; Bun's end without a listener. */
  close?(): void;
}

const globals = globalThis as unknown as Globals;

/**
 * Opens the port of the worker that this runs in.
 *
 * @returns The port.
 */
export async function workerPort(): Promise<WorkerPort> {
  const { postMessage, addEventListener } = globals;
  if (postMessage && addEventListener) {
    let onMessage = (_event: MessageEvent) => {};
    return {
      post: (message, transfer) => globals.postMessage!(message, transfer),
      listen: (listener) => globals.addEventListener!("message", onMessage = ({ data }) => listener(data)),
      close: () => {
        globals.removeEventListener!("message", onMessage);
        globals.close?.();
      },
    };
  }
  const { parentPort } = await import("node:worker_threads");
  return {
    post: (message, transfer) => parentPort!.postMessage(message, transfer),
    listen: (listener) => parentPort!.on("message", listener),
    close: () => parentPort!.close(),
  };
}
