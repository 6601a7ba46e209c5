// Faults: stands in for the runtime's own calls on files, under the platform code, and lets some of them fail as a watch
// says. Knows the runtimes' calls; not what they are for.

import { constants } from "node:fs";
import process from "node:process";
import { activeWatch } from "./_watch.ts";

/** Runs a body that may watch. */
export async function withWatches<T>(body: () => T | Promise<T>): Promise<T> {
  const undo: (() => void)[] = [];
  try {
    install(undo);
    return await body();
  } finally {
    for (const step of undo) step();
  }
}

type Callable = (...given: unknown[]) => unknown;
type Members = Record<string, unknown>;

const { Deno: deno, Bun: bun } = globalThis as unknown as { Deno?: Members; Bun?: Members };
/** The same word on every runtime. */
const WORDS: Record<string, string> = {
  fstat: "stat",
  lstat: "stat",
  seek: "stat",
  readdir: "list",
  readDir: "list",
  realPath: "realpath",
  unlink: "remove",
  rmdir: "remove",
  utime: "touch",
  utimes: "touch",
  lutimes: "touch",
  tryLock: "flock",
};

function install(undo: (() => void)[]): void {
  if (deno) return installDeno(undo);
  const builtin = (name: string) => process.getBuiltinModule(name) as unknown as Members | undefined;
  const fs = builtin("node:fs")!;
  for (const name of namesIn(fs)) {
    replace(fs, `${name}Sync`, (original) => synchronous(name, original), undo);
    replace(fs, name, (original) => calledBack(name, original), undo);
  }
  const ffi = bun ? builtin("bun:ffi") : Number(process.versions.node.split(".")[0]) >= 26 && builtin("node:ffi");
  if (ffi) replace(ffi, "dlopen", (original) => withFlock(original), undo);
}

function installDeno(undo: (() => void)[]): void {
  for (const name of namesIn(deno!)) {
    replace(deno!, `${name}Sync`, (original) => synchronous(name, original), undo);
    replace(deno!, name, (original) => name === "readDir" ? listed(original) : promised(name, original), undo);
  }
  const file = (deno!.FsFile as { prototype: Members }).prototype;
  for (const name of namesIn(file)) {
    replace(file, `${name}Sync`, (original) => synchronous(name, original), undo);
    replace(file, name, (original) => promised(name, original), undo);
  }
  replace(file, "close", (original) => synchronous("close", original), undo);
}

/** Names of functions that have a synchronous twin. */
function namesIn(owner: Members): string[] {
  const isFunction = (name: string) => typeof Object.getOwnPropertyDescriptor(owner, name)?.value === "function";
  return Object.getOwnPropertyNames(owner).filter((name) => isFunction(name) && isFunction(`${name}Sync`));
}

function replace(owner: Members, name: string, by: (original: Callable) => Callable, undo: (() => void)[]): void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name)!;
  const value = Object.assign(by(descriptor.value as Callable), descriptor.value);
  Object.defineProperty(owner, name, { ...descriptor, value });
  undo.push(() => Object.defineProperty(owner, name, descriptor));
}

/** One call, as it is to go. */
interface Course {
  /** What the runtime is given, if it is called at all. */
  readonly given?: unknown[];
  /** What is given back in its place. */
  readonly value?: unknown;
  /** What it fails with, after the runtime was called where it is. */
  readonly error?: Error;
}

/** Decides how a call is to go; `self` is the file object that it is a method of, if any. */
function courseOf(name: string, self: unknown, given: unknown[]): Course {
  const isMethod = self !== undefined;
  const subjects = isMethod ? [self] : name === "rename" ? given.slice(0, 2) : given.slice(0, 1);
  const word = name === "open" && isCreation(given) ? "create" : WORDS[name] ?? name;
  const entered = activeWatch?.enter(
    word,
    subjects,
    isMethod ? (given[0] as Uint8Array | undefined)?.length : given[3],
  );
  if (name === "close") activeWatch?.closed(subjects[0]);
  if (!entered) return { given };
  const { fault, path } = entered;
  if (fault === "nothing") return { value: 0 };
  if (fault === "short") {
    return { given: isMethod ? [half(given[0])] : [given[0], given[1], ...halved(given.slice(2))] };
  }
  const error = errorOf(fault, name, path);
  // A close that fails has closed all the same.
  return name === "close" ? { given, error } : { error };
}

/** Whether an open makes the file: by flags, or by Deno's options. */
function isCreation([, how]: unknown[]): boolean {
  return deno ? Boolean((how as { createNew?: boolean }).createNew) : (Number(how) & constants.O_CREAT) !== 0;
}

function half(bytes: unknown): Uint8Array {
  const all = bytes as Uint8Array;
  return all.subarray(0, Math.ceil(all.length / 2));
}

/** Offset, length, and what follows: the length halved. */
function halved([offset, length, ...more]: unknown[]): unknown[] {
  if (typeof length !== "number") throw new TypeError("Cannot cut the call short: it has no length");
  return [offset, Math.ceil(length / 2), ...more];
}

/** An error as this runtime makes it. */
function errorOf(code: string, name: string, path: string): Error {
  const message = `${code}: injected, ${name} '${path}'`;
  if (!deno) {
    if (code === "NotCapable") return Object.assign(new Error(message), { name: code });
    return Object.assign(new Error(message), { code, errno: -1, syscall: name, path });
  }
  const classes = deno.errors as Record<string, typeof Error>;
  if (code === "NotCapable") return new classes.NotCapable!(message);
  const names: Record<string, string> = { ENOENT: "NotFound", EACCES: "PermissionDenied", EEXIST: "AlreadyExists" };
  return Object.assign(new (classes[names[code] ?? ""] ?? Error)(message), { code });
}

function synchronous(name: string, original: Callable): Callable {
  return function (this: unknown, ...all) {
    const { given, value, error } = courseOf(name, fileOf(this), all);
    const result = given ? original.apply(this, given) : value;
    if (error) throw error;
    if (name === "open") activeWatch?.opened(result, all[0]);
    return result;
  };
}

function promised(name: string, original: Callable): Callable {
  return async function (this: unknown, ...all) {
    const { given, value, error } = courseOf(name, fileOf(this), all);
    const result = given ? await original.apply(this, given) : value;
    if (error) throw error;
    if (name === "open") activeWatch?.opened(result, all[0]);
    return result;
  };
}

function calledBack(name: string, original: Callable): Callable {
  return function (this: unknown, ...all) {
    const done = all.at(-1);
    if (typeof done !== "function") return original.apply(this, all);
    const { given, value, error } = courseOf(name, undefined, all.slice(0, -1));
    const finish = (...results: unknown[]) => {
      if (name === "open" && !results[0] && !error) activeWatch?.opened(results[1], all[0]);
      if (error) done(error);
      else done(...results);
    };
    if (given) original.call(this, ...given, finish);
    else process.nextTick(finish, null, value);
  };
}

/** Deno's readDir fails when it is first asked. */
function listed(original: Callable): Callable {
  return function (this: unknown, ...all) {
    const { given, error } = courseOf("readDir", undefined, all);
    if (given) return original.apply(this, given);
    return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
  };
}

/** The file object that a function is a method of, if any. */
function fileOf(self: unknown): unknown {
  return deno && self instanceof (deno.FsFile as new () => object) ? self : undefined;
}

/** Loads flock(2) so that it can fail: by a descriptor that is none, for errno is the system's. */
function withFlock(dlopen: Callable): Callable {
  return (...given) => {
    const library = dlopen(...given) as Record<"functions" | "symbols", Record<string, Callable> | undefined>;
    const functions = library.functions ?? library.symbols!;
    const { flock } = functions;
    const faulty: Callable = (descriptor, operation) =>
      flock!(activeWatch?.enter("flock", [descriptor]) ? -1 : descriptor, operation);
    const all = { ...functions, flock: faulty };
    return { functions: all, symbols: all };
  };
}
