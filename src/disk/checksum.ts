// XXH3-128 of large payloads, by hash-wasm: half the time of SHA-256, once its hasher is there.

import type { Effect } from "../effect.ts";
import type { Bytes } from "../platform/platform.ts";

interface Hasher {
  init(): void;
  update(bytes: Uint8Array): void;
  digest(encoding: "binary"): Uint8Array;
}

interface HashWasm {
  createXXHash128(): Promise<Hasher>;
}

/**
 * From this length on XXH3-128 pays. To make the hasher takes 4 ms on Node and Bun and 25 ms on Deno, and it saves
 * 0.4 ms per MB over SHA-256 (bench/checksum_bench.ts).
 */
export const XXH3_FROM_BYTES = 16 * 1024 * 1024;

let hasher: Hasher | undefined;

/**
 * XXH3-128 of the bytes, 16 bytes.
 *
 * Gives `undefined` for short bytes, for which it does not pay; and in a synchronous run that comes before any
 * asynchronous one, for the hasher cannot be made without waiting. SHA-256 then does the work.
 */
export function xxh3(bytes: Bytes): Effect<Bytes | undefined> {
  const digest = () => {
    hasher?.init();
    hasher?.update(bytes);
    return hasher && new Uint8Array(hasher.digest("binary"));
  };
  const pays = bytes.length >= XXH3_FROM_BYTES;
  return {
    name: "xxh3",
    sync: () => pays ? digest() : undefined,
    async: () => pays ? createHasher().then(digest) : undefined,
  };
}

/**
 * From the file of this one algorithm: the package's main file holds all of them, 272 KB.
 *
 * Leaves it missing where the package cannot be loaded, as in a bundle that left it out.
 */
async function createHasher(): Promise<void> {
  try {
    if (hasher) return;
    const { default: hashWasm } = await import("hash-wasm/dist/xxhash128.umd.min.js") as unknown as {
      default: HashWasm;
    };
    hasher = await hashWasm.createXXHash128();
  } catch {
    hasher = undefined;
  }
}
