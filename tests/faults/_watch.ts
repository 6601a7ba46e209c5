// Faults: notes the runtime's calls on files below a directory, and says which of them fails, and how. Knows the names in a
// cache's directory; not the cache, nor how a call is caught.

import process from "node:process";
import { readdirSync, readlinkSync } from "node:fs";
import { thisRuntime } from "../_tools.ts";

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
  if (name === "flock" && !("Deno" in globalThis)) return ["EBADF"];
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
    activeWatch = this;
    try {
      return await body();
    } finally {
      activeWatch = undefined;
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
  [/^\/v\d+\/locks\/[0-9a-f]{2}-[0-9a-f-]{36}$/, "socket"],
  [/^\/v\d+\/locks\/prune$/, "prune lock"],
  [/^\/v\d+\/pruned$/, "stamp"],
  [/^\/v\d+\/[^/]+-[0-9a-f]{16}$/, "engine's folder"],
  [/^\/v\d+\/[^/]+-[0-9a-f]{16}\/[0-9a-f]{2}$/, "folder of entries"],
  [/^\/v\d+\/[^/]+-[0-9a-f]{16}\/[0-9a-f]{2}\/[0-9a-f]{62}$/, "entry"],
];

/** The watch that is on, if any. */
export let activeWatch: Watch | undefined;

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

/** Whether this runtime has errno of what it calls in C. */
export const KNOWS_ERRNO: boolean = !/^Node/.test(thisRuntime());
