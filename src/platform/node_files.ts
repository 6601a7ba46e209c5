// Files through `node:fs`, for Node and Bun. Loads nothing before the first call.

import type * as NodeFs from "node:fs";
import type * as NodeModule from "node:module";
import type * as NodePath from "node:path";
import type * as NodeUrl from "node:url";
import { type Effect, immediate } from "../effect.ts";
import type { Access, Files, Lock } from "./platform.ts";
import { composed, type Handle } from "./composed.ts";

/** Built-in modules that files need. */
export interface Builtins {
  /** Files. */
  "node:fs": typeof NodeFs;
  /** What is built in. */
  "node:module": typeof NodeModule;
  /** Paths. */
  "node:path": typeof NodePath;
  /** File URLs. */
  "node:url": typeof NodeUrl;
}

/** What is used of the `process` global. */
export interface NodeProcess {
  /** Architecture of the processor. */
  readonly arch: string;
  /** Number of the process. */
  readonly pid: number;
  /** Operating system. */
  readonly platform: string;
  /** Node's permission model, where it is switched on. */
  readonly permission?: { has(scope: string, reference?: string): boolean };
  /** Warns. */
  emitWarning: (...given: unknown[]) => void;
  /** Loads a built-in module synchronously. */
  getBuiltinModule(name: string): unknown;
}

/** The `process` global. */
export function nodeProcess(): NodeProcess {
  return (globalThis as unknown as { process: NodeProcess }).process;
}

/** Loads a built-in module synchronously. */
export function builtin<K extends keyof Builtins>(name: K): Builtins[K] {
  return nodeProcess().getBuiltinModule(name) as Builtins[K];
}

/** Locks a file by descriptor: `true` taken, `false` held elsewhere; throws where it cannot lock at all. */
export type LockDescriptor = (descriptor: number) => boolean;

/**
 * Files of Node and Bun.
 *
 * @param lockDescriptor How to lock, or `undefined` where the runtime cannot.
 */
export function nodeFiles(lockDescriptor?: LockDescriptor): Files {
  const files: Files = {
    resolve,
    access,
    temporaryName: () => `${nodeProcess().pid}-${crypto.randomUUID()}`,
    ...composed({
      open: (path) => open(path, "r"),
      create: (path) => open(path, "wx"),
      mkdir: (path) => call("mkdir", path, 0o700),
    }),
    rename: (from, to) => call("rename", from, to),
    remove: (path) => call("unlink", path),
    list: (path) => call("readdir", path),
  };
  if (lockDescriptor) files.tryLock = (path) => immediate("tryLock", () => tryLock(path, lockDescriptor));
  return files;
}

function resolve(directory: string | URL): string {
  const isWindows = nodeProcess().platform === "win32";
  // Absolute and normal already: nothing to load.
  if (typeof directory === "string" && !isWindows && /^(\/(?!\.{0,2}(\/|$))[^/]+)+$/.test(directory)) return directory;
  const path = directory instanceof URL ? builtin("node:url").fileURLToPath(directory) : directory;
  const absolute = builtin("node:path").resolve(path);
  return isWindows ? absolute.replaceAll("\\", "/") : absolute;
}

function access(path: string): Access {
  const { permission } = nodeProcess();
  const may = (scope: string) => permission?.has(scope, path) ?? true;
  return { read: may("fs.read"), write: may("fs.write") };
}

/** A function of `node:fs` in its synchronous and its callback form. */
function call<T>(
  name: "open" | "fstat" | "read" | "write" | "close" | "rename" | "unlink" | "mkdir" | "readdir",
  ...given: unknown[]
): Effect<T> {
  type Callback = (error: unknown, value: T) => void;
  const fs = builtin("node:fs") as unknown as Record<string, (...given: unknown[]) => T>;
  return {
    name,
    sync: () => fs[`${name}Sync`]!(...given),
    async: () =>
      new Promise((resolve, reject) => {
        const done: Callback = (error, value) => error ? reject(error) : resolve(value);
        fs[name]!(...given, done);
      }),
  };
}

function open(path: string, flags: "r" | "wx"): Effect<Handle> {
  const effect = call<number>("open", path, flags, 0o600);
  return { name: "open", sync: () => handle(effect.sync()), async: async () => handle(await effect.async()) };
}

function handle(descriptor: number): Handle {
  const stat = call<{ size: number }>("fstat", descriptor);
  return {
    size: { name: "size", sync: () => stat.sync().size, async: async () => (await stat.async()).size },
    read: (into) => call("read", descriptor, into, 0, into.length, null),
    write: (bytes) => call("write", descriptor, bytes, 0, bytes.length, null),
    close: call("close", descriptor),
  };
}

function tryLock(path: string, lockDescriptor: LockDescriptor): Lock | undefined {
  const fs = builtin("node:fs");
  const descriptor = fs.openSync(path, "a", 0o600);
  let locked = false;
  try {
    locked = lockDescriptor(descriptor);
  } finally {
    if (!locked) fs.closeSync(descriptor);
  }
  return locked ? { release: () => fs.closeSync(descriptor) } : undefined;
}
