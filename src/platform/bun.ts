// Bun: hashing by `Bun.CryptoHasher`, files by `node:fs`, flock(2) through `bun:ffi`.

import { builtin, nodeProcess } from "./node_builtins.ts";
import { flock, GIVE_BACK, type LockCalls, TAKE } from "./flock.ts";
import { type HoldDescriptor, nodeFiles } from "./node_files.ts";
import type { Bytes, Platform } from "./platform.ts";
import { nativeHasher, nativeHmacSha256, nativeSha256, webPlatform } from "./web.ts";

interface BunGlobal {
  CryptoHasher: {
    new (algorithm: "sha256", hmacKey?: Bytes): BunHasher;
    hash(algorithm: "sha256", bytes: Bytes): Uint8Array;
  };
  isMainThread: boolean;
  file(descriptor: number): { writer(): { end(): unknown } };
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
  const { CryptoHasher, file, isMainThread } = (globalThis as unknown as { Bun: BunGlobal }).Bun;
  let calls: LockCalls | undefined;
  const load = (library: string, errnoName: string) => calls = loadCalls(library, errnoName);
  return {
    ...webPlatform,
    name: "bun",
    channel: (name) => builtin("node:diagnostics_channel").channel(name),
    // The main thread ends only with the process.
    files: nodeFiles(flock(load), isMainThread ? undefined : holdBy(file, (...given) => calls!.flock(...given))),
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

/**
 * Lets one of Bun's writers hold a locked file. When a worker is terminated, Bun closes its writers, but no file that
 * `node:fs` opened: a lock would be held until the process ends (seen on 1.4.5).
 */
function holdBy(file: BunGlobal["file"], flock: LockCalls["flock"]): HoldDescriptor {
  return (descriptor) => {
    const { closeSync } = builtin("node:fs");
    const duplicate = duplicated(file, flock, descriptor);
    if (duplicate) closeSync(descriptor);
    return {
      release() {
        // Closing is not enough: a writer closes its file some time later.
        flock(duplicate?.descriptor ?? descriptor, GIVE_BACK);
        if (duplicate) duplicate.close();
        else closeSync(descriptor);
      },
    };
  };
}

/**
 * Duplicates the descriptor of a locked file into a writer. The writer does not show its descriptor: it is the lowest
 * free one, and it is the duplicate if it can lock the locked file again.
 *
 * @returns `undefined` if another thread took that number meanwhile.
 */
function duplicated(
  file: BunGlobal["file"],
  flock: LockCalls["flock"],
  original: number,
): { descriptor: number; close(): void } | undefined {
  const { closeSync, fstatSync, openSync } = builtin("node:fs");
  let writer: { end(): unknown } | undefined;
  try {
    const descriptor = openSync("/dev/null", "r");
    closeSync(descriptor);
    const { end } = writer = file(original).writer();
    const [found, wanted] = [fstatSync(descriptor), fstatSync(original)];
    const isSame = found.dev === wanted.dev && found.ino === wanted.ino && flock(descriptor, TAKE) === 0;
    if (isSame) return { descriptor, close: end.bind(writer) };
  } catch {
    // No descriptor is left, or that one is not open.
  }
  writer?.end();
}
