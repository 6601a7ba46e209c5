// Faults: watches the runtime's own calls on files below a directory, under the platform code, and lets some of them fail.
// Knows the runtimes' calls and the names in a cache's directory; not the cache.

import { constants, existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { thisRuntime } from "./_tools.ts";

/** Codes that every call fails with. */
export const CODES = [
  "ENOENT",
  "EACCES",
  "EROFS",
  "ENOSPC",
  "EMFILE",
  "EBUSY",
  "EIO",
  "EEXIST",
  "NotCapable",
] as const;

/**
 * What goes wrong with a call: a code; or `"short"`, a read or write of half of what it was to, `"nothing"`, a write of no
 * byte, and `"EBADF"`, a C function that says no, as only its own errno can tell.
 */
export type Fault = (typeof CODES)[number] | "short" | "nothing" | "EBADF";

/** A call of the runtime on a file. */
export interface Call {
  /** What it does, the same word on every runtime. */
  readonly name: string;
  /** What it does it to: "write temporary", "rename temporary to entry". */
  readonly label: string;
  /** It reads or writes no byte at all, and so cannot be cut short. */
  readonly isEmpty: boolean;
}

/** What can go wrong with a call. */
export function faultsOf({ name, isEmpty }: Call): readonly Fault[] {
  if (name === "flock" && !deno) return ["EBADF"];
  if (isEmpty) return CODES;
  if (name === "write") return [...CODES, "short", "nothing"];
  return name === "read" ? [...CODES, "short"] : CODES;
}

/** Chooses what goes wrong with a call, by its number from 0 on. */
export type Choose = (at: number, call: Call) => Fault | undefined;

/** More calls than any lookup here makes: it goes round in circles. */
const TOO_MANY = 1000;

/** The calls on what is below a directory. */
export class Watch {
  /** Those made, in their order. */
  readonly calls: Call[] = [];
  /** Those that went wrong. */
  readonly failed: (Call & { fault: Fault })[] = [];
  readonly #directory: string;
  readonly #choose: Choose;
  readonly #opened = new Map<unknown, string>();
  readonly #locked = new Set<unknown>();

  /** Touches nothing yet. */
  constructor(directory: string, choose: Choose = () => undefined) {
    this.#directory = directory;
    this.#choose = choose;
  }

  /** Watches while a body runs, within {@linkcode withWatches}. One watch at a time. */
  async during<T>(body: () => T | Promise<T>): Promise<T> {
    active = this;
    try {
      return await body();
    } finally {
      active = undefined;
    }
  }

  /**
   * Notes a call, if it is on what is watched.
   *
   * @param subjects Paths, and descriptors or file objects.
   * @param length How many bytes it is to read or write.
   * @returns What is to go wrong with it, and its path; `undefined` where nothing is to.
   */
  enter(name: string, subjects: readonly unknown[], length?: unknown): { fault: Fault; path: string } | undefined {
    const paths = subjects.map((subject) => typeof subject === "string" ? subject : this.#opened.get(subject));
    const path = paths[0];
    if (path === undefined || !this.#isWatched(path)) return undefined;
    const roles = paths.filter((path) => path !== undefined).map((path) => roleOf(path.slice(this.#directory.length)));
    if (name === "flock") this.#locked.add(subjects[0]);
    const word = name === "close" && this.#locked.has(subjects[0]) ? "unlock" : name;
    const call = { name: word, label: `${word} ${roles.join(" to ")}`, isEmpty: length === 0 };
    const at = this.calls.push(call) - 1;
    if (at > TOO_MANY) throw new Error(`Endless: ${this.calls.slice(-5).map(({ label }) => label).join(", ")}`);
    const fault = this.#choose(at, call);
    if (fault === undefined || !faultsOf(call).includes(fault)) return undefined;
    this.failed.push({ ...call, fault });
    return { fault, path };
  }

  /** Notes a descriptor, or a file object. */
  opened(file: unknown, path: unknown): void {
    if (typeof path === "string" && this.#isWatched(path)) this.#opened.set(file, path);
  }

  /** Forgets it: its number will be another file's. */
  closed(file: unknown): void {
    this.#opened.delete(file);
    this.#locked.delete(file);
  }

  #isWatched(path: string): boolean {
    return path === this.#directory || path.startsWith(`${this.#directory}/`);
  }
}

/** What a path below a cache's directory is. */
export function roleOf(path: string): string {
  return ROLES.find(([pattern]) => pattern.test(path))?.[1] ?? `unknown file ${path}`;
}

const ROLES: [RegExp, string][] = [
  [/^$/, "directory"],
  [/^\/CACHEDIR\.TAG$/, "tag"],
  [/^\/v\d+$/, "root"],
  [/^\/v\d+\/tmp$/, "folder of temporaries"],
  [/^\/v\d+\/tmp\/\d+-[0-9a-f-]{36}$/, "temporary"],
  [/^\/v\d+\/locks$/, "folder of locks"],
  [/^\/v\d+\/locks\/[0-9a-f]{2}$/, "lock"],
  [/^\/v\d+\/locks\/prune$/, "prune lock"],
  [/^\/v\d+\/pruned$/, "stamp"],
  [/^\/v\d+\/[^/]+-[0-9a-f]{16}$/, "engine's folder"],
  [/^\/v\d+\/[^/]+-[0-9a-f]{16}\/[0-9a-f]{2}$/, "folder of entries"],
  [/^\/v\d+\/[^/]+-[0-9a-f]{16}\/[0-9a-f]{2}\/[0-9a-f]{62}$/, "entry"],
];

/** Runs a body with a directory of its own, in memory where there is such a place: a disk takes fifty times as long. */
export async function inMemory<T>(body: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(`${existsSync("/dev/shm") ? "/dev/shm" : tmpdir()}/wasm-module-cache-`);
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

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

/** How many descriptors this process has; 0 where the system does not tell. */
export function descriptors(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
}

/** Files below a directory that this process has open; none where the system does not tell. */
export function openBelow(directory: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      return path.startsWith(directory) ? [path.slice(directory.length)] : [];
    } catch {
      // The descriptor that listed the others.
      return [];
    }
  });
}

type Callable = (...given: unknown[]) => unknown;
type Members = Record<string, unknown>;

const { Deno: deno, Bun: bun } = globalThis as unknown as { Deno?: Members; Bun?: Members };

let active: Watch | undefined;

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
  const entered = active?.enter(word, subjects, isMethod ? (given[0] as Uint8Array | undefined)?.length : given[3]);
  if (name === "close") active?.closed(subjects[0]);
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
    if (name === "open") active?.opened(result, all[0]);
    return result;
  };
}

function promised(name: string, original: Callable): Callable {
  return async function (this: unknown, ...all) {
    const { given, value, error } = courseOf(name, fileOf(this), all);
    const result = given ? await original.apply(this, given) : value;
    if (error) throw error;
    if (name === "open") active?.opened(result, all[0]);
    return result;
  };
}

function calledBack(name: string, original: Callable): Callable {
  return function (this: unknown, ...all) {
    const done = all.at(-1);
    if (typeof done !== "function") return original.apply(this, all);
    const { given, value, error } = courseOf(name, undefined, all.slice(0, -1));
    const finish = (...results: unknown[]) => {
      if (name === "open" && !results[0] && !error) active?.opened(results[1], all[0]);
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
      flock!(active?.enter("flock", [descriptor]) ? -1 : descriptor, operation);
    const all = { ...functions, flock: faulty };
    return { functions: all, symbols: all };
  };
}

/** Whether this runtime has errno of what it calls in C. */
export const KNOWS_ERRNO: boolean = !/^Node/.test(thisRuntime());
