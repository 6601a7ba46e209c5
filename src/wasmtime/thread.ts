// What a thread leaves to WebAssembly of its stack.

import { detectPlatform } from "../platform/detect.ts";
import { environmentData } from "../platform/threads.ts";

/**
 * Most bytes of the stack that WebAssembly may use in a worker of Node or Bun: JavaScript uses all of it but some 190
 * KiB, and who goes further ends the process. 128 KiB did not, 192 KiB did (Node 26.10, Bun 1.4.5, Linux x64).
 */
const WORKER_BYTES = 96 * 1024;

/** Most bytes of this thread's stack that WebAssembly may use. It decides nothing about the code. */
export function stackBytesHere(): number {
  // V8 keeps to 1 MB in Deno's workers as well, of 2 and more.
  if (detectPlatform().name === "deno") return Infinity;
  return environmentData()?.isMainThread === false ? WORKER_BYTES : Infinity;
}
