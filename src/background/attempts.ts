// Attempts in a directory, past and present: notes beside the entries, and a mark for the one process at work. They
// only save work: whatever happens to them, nothing is loaded because of them, and nothing hangs.

import { type Context, openContext, type Storage } from "../context.ts";
import { type Address, addressIn } from "../disk/key.ts";
import { runSync } from "../effect.ts";
import type { Bytes } from "../engine/calls.ts";
import { compiling } from "../engine/host.ts";
import { write } from "../publish.ts";
import { fromUtf8, now, toUtf8 } from "../platform/globals.ts";
import { builtin } from "../platform/node_builtins.ts";
import type { Target } from "./orders.ts";

/** How long a failure counts, ms: running out of memory looks like a crash. */
const FAILED_MS = 24 * 60 * 60 * 1000;

/** How long all may take that is tried at a time, ms: what is not heard of for so long has been killed. */
export const LIMIT_MS = 10 * 60 * 1000;

/** Entries of one id in a directory, read and written without a lookup. Never makes the directory. */
export class Entries {
  readonly #context: Context<WebAssembly.Module>;
  readonly #storage: Storage;
  readonly #compileMs: number;

  /** Touches nothing yet. */
  constructor(id: string, { compileMs, directory, options }: Pick<Target, "compileMs" | "directory" | "options">) {
    this.#compileMs = compileMs;
    const engine = { ...compiling, id, native: true, serialize: () => undefined, deserialize: () => undefined };
    this.#context = openContext({ ...options, directory, engine, strict: true }, undefined, { mustExist: true });
    this.#storage = this.#context.storage as Storage;
  }

  /** Reads a payload; `undefined` where there is none that can be used. */
  read(content: Bytes): Bytes | undefined {
    try {
      const found = runSync(this.#storage.disk.read(this.#address(content)));
      return found instanceof Error ? undefined : found;
    } catch {
      return undefined;
    }
  }

  /**
   * Writes a payload.
   *
   * @throws {Error} When it is not written.
   */
  write(content: Bytes, payload: Bytes): void {
    const context = this.#context;
    const before = context.counters.writes;
    const work = { context, storage: this.#storage, address: this.#address(content), compileMs: this.#compileMs };
    runSync(write({ ...work, payload }));
    if (context.counters.writes === before) throw new Error("Cannot keep artifact: the directory is gone, or in use");
  }

  /** Removes a payload. */
  remove(content: Bytes): void {
    runSync(this.#storage.disk.remove(this.#address(content).path));
  }

  #address(content: Bytes): Address {
    const { engine: { id }, platform } = this.#context;
    return runSync(addressIn(platform, id, platform.sha256(content).sync()));
  }
}

/** Attempts for one entry. */
export class Attempt {
  readonly #entries: Entries;
  readonly #name: Bytes;

  /** Looks at nothing yet. */
  constructor(id: string, target: Target) {
    this.#entries = new Entries(`${id} attempts`, target);
    this.#name = toUtf8(target.key);
  }

  /** Why nothing must be tried now; `undefined` if it may. */
  get hindrance(): string | undefined {
    const note = this.#entries.read(this.#name);
    if (!note) return undefined;
    const { why, atMs } = JSON.parse(fromUtf8(note)) as { why?: string; atMs: number };
    return Math.abs(now() - atMs) < (why ? FAILED_MS : LIMIT_MS) ? why ?? "it is being tried" : undefined;
  }

  /**
   * Notes that it is tried, or that it failed.
   *
   * @param why It failed.
   * @throws {Error} When that cannot be noted: there is no room for an artifact then either.
   */
  note(why?: string): void {
    this.#entries.write(this.#name, toUtf8(JSON.stringify({ why, atMs: now() })));
  }

  /** Notes that there is nothing left to try. */
  end(): void {
    this.#entries.remove(this.#name);
  }
}

/** The mark of a directory: last changed when work began there, last read when a program told that it starts. */
function markOf(root: string): string {
  return `${root}/locks/v8`;
}

/** Marks a directory. Returns whether nobody else works there. */
export function mark(root: string): boolean {
  const { closeSync, lstatSync, openSync, rmdirSync, unlinkSync } = builtin("node:fs");
  const path = markOf(root);
  try {
    // Two may find an old one at once, and one unlink the other's new one: then both work, which only costs time.
    const stat = lstatSync(path);
    if (Math.abs(now() - stat.mtimeMs) > LIMIT_MS) (stat.isDirectory() ? rmdirSync : unlinkSync)(path);
  } catch {
    // There is none, or a folder with something in it.
  }
  try {
    closeSync(openSync(path, "wx", 0o600));
    return true;
  } catch {
    return false;
  }
}

/** Inode of the mark; `undefined` if there is none. */
export function markId(root: string): number | undefined {
  return builtin("node:fs").lstatSync(markOf(root), { throwIfNoEntry: false })?.ino;
}

/** Removes a mark. */
export function unmark(root: string): void {
  builtin("node:fs").rmSync(markOf(root), { force: true });
}

/** Tells the process at work on a directory that a program starts or ends. One system call if there is none. */
export function tellStart(root: string): void {
  const { lstatSync, lutimesSync } = builtin("node:fs");
  const stat = lstatSync(markOf(root), { throwIfNoEntry: false });
  try {
    if (stat) lutimesSync(markOf(root), now() / 1000, stat.mtimeMs / 1000);
  } catch {
    // The mark is another user's, or has just gone.
  }
}

/**
 * How long ago a program told that it starts, ms.
 *
 * @throws {Error} When there is no mark: the directory was removed.
 */
export function sinceStart(root: string): number {
  return Math.abs(now() - builtin("node:fs").lstatSync(markOf(root)).atimeMs);
}
