// XXH3-128 of large payloads, by hash-wasm: half the time of SHA-256, once its hasher has been made. Knows no entries.

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
 * From this length on XXH3-128 is used. Making the hasher takes 4 ms on Node and Bun and 25 ms on Deno, once in a
 * process; each use then saves 0.4 ms per MB over SHA-256 (bench/checksum_bench.ts). On Node and Bun the first such
 * payload pays for it, on Deno only the fourth.
 */
export const XXH3_FROM_BYTES = 16 * 1024 * 1024;

let hasher: Hasher | undefined;

/**
 * XXH3-128 of the bytes, 16 bytes.
 *
 * Returns `undefined` for shorter bytes, and in a synchronous run before any asynchronous one, because making the
 * hasher takes a wait. Callers then use SHA-256.
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
 * Loads the file of this one algorithm: the package's main file holds all of them, 272 KB.
 *
 * Without the package, as in a bundle that left it out, there is no hasher.
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
