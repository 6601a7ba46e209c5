// A server for the tests: answers by path, and notes what it was asked.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** What is answered. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
  /** Ends the connection after so many bytes of the body. */
  readonly breaksAt?: number;
  /** Waits before it answers, ms. */
  readonly delayMs?: number;
}

/** What was asked. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** What was sent. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Runs a body with a server; gives it the server's URL and what was asked so far. */
export async function withServer<T>(
  answer: (asked: Asked) => Answer,
  body: (server: { url: string; asked: Asked[]; stop(): Promise<void> }) => Promise<T>,
): Promise<T> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const sent = new Uint8Array(await buffer(request));
    const one = { method: request.method!, path: request.url!, headers: request.headers, body: sent };
    asked.push(one);
    const { status = 200, headers = {}, body = new Uint8Array(), breaksAt, delayMs = 0 } = answer(one);
    const timer = setTimeout(() => {
      response.writeHead(status, { "content-length": String(body.length), connection: "close", ...headers });
      if (breaksAt === undefined) response.end(body);
      else response.write(body.subarray(0, breaksAt), () => setTimeout(() => response.destroy(), 20));
    }, delayMs);
    // Who asked has gone: the process need not wait.
    response.on("close", () => clearTimeout(timer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  let isStopped = false;
  const stop = async () => {
    if (isStopped) return;
    isStopped = true;
    server.closeAllConnections?.();
    await new Promise((resolve) => server.close(resolve));
  };
  try {
    return await body({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, stop });
  } finally {
    await stop();
  }
}

/** Headers of WebAssembly code. */
export const WASM = { "content-type": "application/wasm" };

/**
 * Headers of a body that is packed. The connection stays open: where a server closes it before such a body is read, an
 * assertion of Node 22 and 24 ends the program, with or without this library.
 */
export const GZIP = { "content-encoding": "gzip", connection: "keep-alive" };
