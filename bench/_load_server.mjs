// A server in a thread of its own: each path is the module under another stamp, at once or at the pace of 1 Gbit/s.

import { createServer } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

const BYTES_PER_MS = 125_000;

/** The module with a custom section at its end that holds the path. */
function variantOf(code, path) {
  const stamp = new TextEncoder().encode(path.padEnd(30));
  const variant = new Uint8Array(code.length + stamp.length + 4);
  variant.set(code);
  variant.set([0, stamp.length + 2, 1, 118, ...stamp], code.length);
  return variant;
}

const server = createServer((request, response) => {
  const [, name, pace] = request.url.split("/");
  const body = variantOf(workerData[name], request.url);
  const headers = { "content-type": "application/wasm", "content-length": body.length, "cache-control": "max-age=600" };
  response.writeHead(200, headers);
  if (pace !== "paced") return response.end(body);
  const start = performance.now();
  let sent = 0;
  const send = () => {
    const due = Math.min(body.length, Math.ceil((performance.now() - start) * BYTES_PER_MS));
    if (due > sent) response.write(body.subarray(sent, due));
    sent = Math.max(sent, due);
    if (sent < body.length) setTimeout(send, 1);
    else response.end();
  };
  send();
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
