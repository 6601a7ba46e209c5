// The platform of runtimes that have only web standards (browsers, edge): no files. The others start from it.

import { CannotWait, type Effect, immediate } from "../effect.ts";
import { clock, crypto, now, setTimer } from "./globals.ts";
import type { Bytes, Hasher, Platform } from "./platform.ts";

/** From which length on the native compare pays: at first not on Deno, where it takes 8 ms to set `Buffer` up. */
let nativeCompareBytes = "Deno" in globalThis ? 16 * 1024 : 256;

/** The platform of web standards. It has no synchronous SHA-256. */
export const webPlatform: Platform = {
  name: "web",
  clock,
  now,
  pause,
  sha256: (bytes) => ({
    name: "sha256",
    sync() {
      throw new TypeError("Cannot look up synchronously: this runtime has no synchronous SHA-256; use resolve");
    },
    async: () => subtleSha256(bytes),
  }),
  hasher: () => undefined,
  hmacSha256: (key, bytes) => ({
    name: "hmacSha256",
    sync: () => cannotSign(),
    async: () => subtleHmacSha256(key, bytes),
  }),
  equal,
};

/** SHA-256 by Web Crypto. */
export async function subtleSha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** HMAC-SHA-256 by Web Crypto. */
async function subtleHmacSha256(given: Bytes | CryptoKey, bytes: Bytes): Promise<Bytes> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = given instanceof Uint8Array ? await crypto.subtle.importKey("raw", given, hmac, false, ["sign"]) : given;
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
}

/** HMAC-SHA-256 for runtimes that compute it synchronously from the bytes of a key. */
export function nativeHmacSha256(digest: (key: Bytes, bytes: Bytes) => Uint8Array): Platform["hmacSha256"] {
  return (key, bytes) => ({
    name: "hmacSha256",
    sync: () => key instanceof Uint8Array ? new Uint8Array(digest(key, bytes)) : cannotSign(),
    async: () => key instanceof Uint8Array ? new Uint8Array(digest(key, bytes)) : subtleHmacSha256(key, bytes),
  });
}

function cannotSign(): never {
  throw new CannotWait("Cannot check entries synchronously: the secret is a CryptoKey, and not its bytes");
}

function pause(delayMs: number): Effect<boolean> {
  return {
    name: "pause",
    sync: () => false,
    async: () => new Promise((resolve) => setTimer(() => resolve(true), delayMs)),
  };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length < nativeCompareBytes) return equalByLoop(a, b);
  nativeCompareBytes = 256;
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

/** Incremental SHA-256 of the runtime. */
export function nativeHasher(
  hash: { update(bytes: Uint8Array): unknown; digest(): Uint8Array },
): Hasher {
  return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
}

/** SHA-256 for runtimes that compute it synchronously: the same step for both kinds of run. */
export function nativeSha256(digest: (bytes: Bytes) => Uint8Array): Platform["sha256"] {
  return (bytes) => immediate("sha256", () => new Uint8Array(digest(bytes)));
}
