// The platform of runtimes that have only web standards (browsers, edge): no files. The others start from it.

import { type Effect, immediate } from "../effect.ts";
import type { Bytes, Platform } from "./platform.ts";

/** From this length on the native compare is worth its start: Deno takes 8 ms to set `Buffer` up, at the first such call. */
const NATIVE_COMPARE_BYTES = 16 * 1024;

/** What web standards offer. It has no synchronous SHA-256. */
export const webPlatform: Platform = {
  name: "web",
  clock: () => performance.now(),
  pause,
  sha256: (bytes) => ({
    name: "sha256",
    sync() {
      throw new TypeError("Cannot look up synchronously: this runtime has no synchronous SHA-256; use resolve");
    },
    async: () => subtleSha256(bytes),
  }),
  equal,
};

/** SHA-256 by Web Crypto. */
export async function subtleSha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function pause(delayMs: number): Effect<boolean> {
  return {
    name: "pause",
    sync: () => false,
    async: () => new Promise((resolve) => setTimeout(() => resolve(true), delayMs)),
  };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length < NATIVE_COMPARE_BYTES) return equalByLoop(a, b);
  const { Buffer } = globalThis as { Buffer?: { compare(a: Uint8Array, b: Uint8Array): number } };
  return Buffer ? Buffer.compare(a, b) === 0 : equalByLoop(a, b);
}

function equalByLoop(a: Uint8Array, b: Uint8Array): boolean {
  let i = 0;
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = a.length >> 2;
    const x = new Int32Array(a.buffer, a.byteOffset, words);
    const y = new Int32Array(b.buffer, b.byteOffset, words);
    for (let word = 0; word < words; word++) if (x[word] !== y[word]) return false;
    i = words * 4;
  }
  for (; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** SHA-256 where the runtime makes it synchronously: the same step for both kinds of run. */
export function nativeSha256(digest: (bytes: Bytes) => Uint8Array): Platform["sha256"] {
  return (bytes) => immediate("sha256", () => new Uint8Array(digest(bytes)));
}
