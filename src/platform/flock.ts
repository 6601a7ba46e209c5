// flock(2) by foreign function interface: its arguments and results. How C is called differs by runtime.

import { builtin, nodeProcess } from "./node_builtins.ts";
import type { LockDescriptor } from "./node_files.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Takes a lock, without waiting. */
export const TAKE: number = LOCK_EX | LOCK_NB;

/** Gives a lock back. */
export const GIVE_BACK = 8;

/** EWOULDBLOCK on Linux, on macOS and the BSDs. */
const WOULD_BLOCK = [11, 35];

/** The C functions that locking calls. */
export interface LockCalls {
  /** flock(2): 0, or -1 with errno set. */
  flock(descriptor: number, operation: number): number;
  /** errno of the calling thread, or 0 where it cannot be read. */
  errno(): number;
}

/**
 * Locks by flock(2), exclusively and without waiting.
 *
 * @param load Finds the C functions in a library. Called at the first lock; throws if the library is missing.
 * @returns `undefined` on Windows, which has no flock.
 */
export function flock(load: (library: string, errnoName: string) => LockCalls): LockDescriptor | undefined {
  const { platform, arch } = nodeProcess();
  if (platform === "win32") return undefined;
  let calls: LockCalls | undefined;
  return (descriptor, path) => {
    calls ??= loadFirst(load, platform, arch);
    if (calls.flock(descriptor, TAKE) === 0) return true;
    const errno = calls.errno();
    if (errno === 0 ? canLockIn(path.slice(0, path.lastIndexOf("/")), calls) : WOULD_BLOCK.includes(errno)) {
      return false;
    }
    throw Object.assign(new Error(`Cannot lock file: flock gives errno ${errno}`), { code: "ENOLCK" });
  };
}

/**
 * Whether the file system has locks, for runtimes that cannot read errno. Nobody else locks the directory, so this is
 * refused only if all locks are. Without the test every refusal would look like a held lock, and lookups would wait for
 * nothing.
 */
function canLockIn(directory: string, calls: LockCalls): boolean {
  const { closeSync, openSync } = builtin("node:fs");
  const descriptor = openSync(directory, "r");
  try {
    return calls.flock(descriptor, LOCK_SH | LOCK_NB) === 0;
  } finally {
    closeSync(descriptor);
  }
}

function loadFirst(load: (library: string, errnoName: string) => LockCalls, os: string, arch: string): LockCalls {
  if (os === "darwin") return load("libSystem.B.dylib", "__error");
  try {
    return load("libc.so.6", "__errno_location");
  } catch {
    // Without glibc: musl names its library by architecture.
    return load(`libc.musl-${arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "__errno_location");
  }
}
