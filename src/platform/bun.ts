// Bun: hashing by `Bun.CryptoHasher`, files by `node:fs`, flock(2) through `bun:ffi`.

import { flock, type LockCalls } from "./flock.ts";
import { nodeFiles, nodeProcess } from "./node_files.ts";
import type { Bytes, Platform } from "./platform.ts";
import { nativeHasher, nativeHmacSha256, nativeSha256, webPlatform } from "./web.ts";

interface BunGlobal {
  CryptoHasher: {
    new (algorithm: "sha256", hmacKey?: Bytes): BunHasher;
    hash(algorithm: "sha256", bytes: Bytes): Uint8Array;
  };
}

interface BunHasher {
  update(bytes: Uint8Array): BunHasher;
  digest(): Uint8Array;
}

interface BunFfi {
  dlopen(library: string, symbols: Record<string, { args: string[]; returns: string }>): {
    symbols: {
      flock(descriptor: number, operation: number): number;
      [errnoName: string]: (...given: number[]) => number;
    };
  };
  read: { i32(pointer: number, offset: number): number };
}

/** The platform of Bun. */
export function bunPlatform(): Platform {
  const { CryptoHasher } = (globalThis as unknown as { Bun: BunGlobal }).Bun;
  return {
    ...webPlatform,
    name: "bun",
    files: nodeFiles(flock(loadCalls)),
    // 0.2 ms to the first digest where node:crypto takes 10 ms (bench/sha256_bench.ts).
    sha256: nativeSha256((bytes) => CryptoHasher.hash("sha256", bytes)),
    hasher: () => nativeHasher(new CryptoHasher("sha256")),
    hmacSha256: nativeHmacSha256((key, bytes) => new CryptoHasher("sha256", key).update(bytes).digest()),
  };
}

function loadCalls(library: string, errnoName: string): LockCalls {
  const ffi = nodeProcess().getBuiltinModule("bun:ffi") as BunFfi;
  const { symbols } = ffi.dlopen(library, {
    flock: { args: ["i32", "i32"], returns: "i32" },
    [errnoName]: { args: [], returns: "ptr" },
  });
  return { flock: symbols.flock, errno: () => ffi.read.i32(symbols[errnoName]!(), 0) };
}
