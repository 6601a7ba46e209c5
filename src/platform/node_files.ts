// Files through `node:fs`, for Node and Bun. Loads nothing before the first call.

import type * as NodeFs from "node:fs";
import { type Effect, map } from "../effect.ts";
import { builtin, nodeProcess } from "./node_builtins.ts";
import { crypto } from "./globals.ts";
import type { Files, Lock } from "./platform.ts";
import { paced } from "./paced.ts";
import { pathOf } from "./file_url.ts";
import { composed, type FileStat, type Handle } from "./composed.ts";

/** Locks an open file of that path: `true` if taken, `false` if held elsewhere. Throws if it cannot lock at all. */
export type LockDescriptor = (descriptor: number, path: string) => boolean;

/** Takes over an open file that is locked. */
export type HoldDescriptor = (descriptor: number) => Lock;

/**
 * Files of Node and Bun.
 *
 * @param lockDescriptor Locks a file; `undefined` if the runtime cannot.
 * @param holdDescriptor Keeps a lock, if keeping the file open is not enough.
 */
export function nodeFiles(lockDescriptor?: LockDescriptor, holdDescriptor: HoldDescriptor = holdOpen): Files {
  return {
    resolve,
    mayAccess: (path, act) => nodeProcess().permission?.has(`fs.${act}`, path) ?? true,
    temporaryName: () => `${nodeProcess().pid}-${crypto.randomUUID()}`,
    ...composed({
      open: (path) => open(path, flags("O_RDONLY")),
      openLinked: (path) => open(path, builtin("node:fs").constants.O_RDONLY),
      create: (path) => open(path, flags("O_WRONLY", "O_CREAT", "O_EXCL")),
      mkdir: (path) => call("mkdir", path, 0o700),
      chmod: (path, mode) => call("chmod", path, mode),
      stat: (path, follow) => map(call<NodeFs.Stats>(follow ? "stat" : "lstat", path), statOf),
      list: (path) => call("readdir", path),
      realPath,
      readLink: (path) => call("readlink", path),
      userId: () => nodeProcess().geteuid?.(),
      ...(lockDescriptor ? { lock: (path) => lock(path, lockDescriptor, holdDescriptor) } : {}),
    }),
    rename: (from, to) => call("rename", from, to),
    remove: (path) => call("unlink", path),
    removeDirectory: (path) => call("rmdir", path),
    touch: (path, modifiedMs) => call("lutimes", path, modifiedMs / 1000, modifiedMs / 1000),
  };
}

function resolve(directory: string | URL): string {
  const isWindows = nodeProcess().platform === "win32";
  const path = pathOf(directory, isWindows);
  // Already absolute and normalized: nothing to load.
  if (!isWindows && /^(\/(?!\.{0,2}(\/|$))[^/]+)+$/.test(path)) return path;
  const absolute = builtin("node:path").resolve(path);
  return isWindows ? absolute.replaceAll("\\", "/") : absolute;
}

type Call =
  | "chmod"
  | "close"
  | "fchmod"
  | "fstat"
  | "lstat"
  | "lutimes"
  | "mkdir"
  | "open"
  | "read"
  | "readdir"
  | "readlink"
  | "rename"
  | "rmdir"
  | "stat"
  | "unlink"
  | "write";

/** A function of `node:fs` in its synchronous and its callback form. */
function call<T>(name: Call, ...given: unknown[]): Effect<T> {
  type Callback = (error: unknown, value: T) => void;
  const fs = builtin("node:fs") as unknown as Record<string, (...given: unknown[]) => T>;
  const [, bytes] = given;
  return paced(
    name,
    () => fs[`${name}Sync`]!(...given),
    () =>
      new Promise((resolve, reject) => {
        const done: Callback = (error, value) => error ? reject(error) : resolve(value);
        fs[name]!(...given, done);
      }),
    bytes instanceof Uint8Array ? bytes.length : 0,
  );
}

/** The system's own call; the other one inspects each part of the path itself. */
function realPath(path: string): Effect<string> {
  const { realpath, realpathSync } = builtin("node:fs");
  return paced(
    "realpath",
    () => realpathSync.native(path),
    () =>
      new Promise((resolve, reject) => realpath.native(path, (error, found) => error ? reject(error) : resolve(found))),
  );
}

/** Flags of open(2) by name, if the system has them: never follows a link, never waits at a pipe. */
function flags(...names: (keyof typeof NodeFs.constants)[]): number {
  const { constants } = builtin("node:fs");
  return [...names, "O_NOFOLLOW" as const, "O_NONBLOCK" as const].reduce(
    (sum, name) => sum | (constants[name] ?? 0),
    0,
  );
}

function open(path: string, flags: number): Effect<Handle> {
  return map(call<number>("open", path, flags, 0o600), handle);
}

function handle(descriptor: number): Handle {
  return {
    stat: map(call<NodeFs.Stats>("fstat", descriptor), statOf),
    chmod: (mode) => call("fchmod", descriptor, mode),
    read: (into, offset) => call("read", descriptor, into, 0, into.length, offset),
    write: (bytes) => call("write", descriptor, bytes, 0, bytes.length, null),
    link: () => nodeProcess().platform === "linux" ? { path: `/proc/self/fd/${descriptor}`, release() {} } : undefined,
    close: call("close", descriptor),
  };
}

function statOf(stat: NodeFs.Stats): FileStat {
  const { ctimeMs: changedMs, ino: inode, mode, mtimeMs: modifiedMs, size, uid } = stat;
  const kind = { isFile: stat.isFile(), isDirectory: stat.isDirectory(), isLink: stat.isSymbolicLink() };
  return { ...kind, inode, size, mode, modifiedMs, changedMs, uid };
}

function holdOpen(descriptor: number): Lock {
  return { release: () => builtin("node:fs").closeSync(descriptor) };
}

function lock(path: string, lockDescriptor: LockDescriptor, hold: HoldDescriptor): Lock | undefined {
  const fs = builtin("node:fs");
  const descriptor = fs.openSync(path, flags("O_RDWR"));
  let locked = false;
  try {
    locked = lockDescriptor(descriptor, path);
  } finally {
    if (!locked) fs.closeSync(descriptor);
  }
  return locked ? hold(descriptor) : undefined;
}
