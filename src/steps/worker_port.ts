// The worker's side of what passes between it and whoever started it. With its imports it lies in this folder, which is all
// that Deno must be allowed to read to start one.

/** The port of a worker. */
export interface WorkerPort {
  /** Posts a message to whoever started the worker. */
  post(message: unknown, transfer: ArrayBuffer[]): void;
  /** Sets what is done with messages; those that came before wait for it. */
  listen(listener: (data: unknown) => void): void;
  /** Takes no more messages: the worker ends when it has nothing else to do. What it has posted arrives. */
  close(): void;
}

/** The part of the globals that is not the same everywhere. */
interface Globals {
  postMessage?(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener?(type: "message", listener: (event: MessageEvent) => void): void;
  removeEventListener?(type: "message", listener: (event: MessageEvent) => void): void;
  /** Of Deno's workers; Bun's end without a listener. */
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
