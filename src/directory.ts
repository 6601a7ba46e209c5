// The cache's directory: what may be done in it and why not more, its fixed files, and the locks. Knows no entries.

import { type Operation, perform } from "./effect.ts";
import { FORMAT_VERSION } from "./entry.ts";
import { CacheError, systemCode } from "./errors.ts";
import type { Files, Lock, Platform } from "./platform/platform.ts";

/** What the disk tier can do here, and why not more. */
export interface DiskStatus {
  /** Whether entries are read and written, only read, or neither. */
  readonly disk: "read-write" | "read-only" | "off";
  /** Why the disk is not read and written; absent where it is. */
  readonly reason?: string;
}

/** {@linkcode DiskStatus}, and the fault behind it where it is not as wished. */
export interface Ability extends DiskStatus {
  /** What strict mode throws once it matters. */
  readonly fault?: CacheError;
}

/** Options of a directory. */
export interface DirectoryOptions {
  /** Absolute path. */
  readonly path: string;
  /** Never writes. */
  readonly readOnly: boolean;
  /** How long to wait for a lock, ms. */
  readonly lockTimeoutMs: number;
}

/** Marks the directory for backup programs: https://bford.info/cachedir/ */
const CACHEDIR_TAG = new TextEncoder().encode(
  "Signature: 8a477f597d28d172789f06886806bc55\n# Compiled WebAssembly modules. Safe to delete at any time.\n",
);

/** Longest wait between two tries for a lock: how late a waiter may notice that the holder is gone. */
const MAX_LOCK_POLL_MS = 20;

/** A directory that a cache was given. */
export class Directory {
  /** Path of all that this format version owns. */
  readonly root: string;
  /** Path for files not yet published. */
  readonly temporary: string;
  readonly #platform: Platform;
  readonly #files: Files;
  readonly #options: DirectoryOptions;
  #ability: Ability | undefined;

  /** Touches nothing yet. */
  constructor(platform: Platform, files: Files, options: DirectoryOptions) {
    this.root = `${options.path}/v${FORMAT_VERSION}`;
    this.temporary = `${this.root}/tmp`;
    this.#platform = platform;
    this.#files = files;
    this.#options = options;
  }

  /** Finds out, once, what can be done, and makes the directory ready for writes. */
  *ability(): Operation<Ability> {
    return this.#ability ??= yield* this.#probe();
  }

  /** Tells why nothing can be read, without touching the disk; `undefined` where it can be tried. */
  unreadable(): Ability | undefined {
    if (this.#ability) return this.#ability.disk === "off" ? this.#ability : undefined;
    if (this.#files.access(this.#options.path).read) return undefined;
    return this.#ability = { disk: "off", ...this.#forbidden("read") };
  }

  /**
   * Takes the lock of a key's stripe, waiting for it no longer than allowed.
   *
   * @param stripe Which of the 256 locks, two hexadecimal digits.
   * @returns `undefined` where this platform has no lock, or it is held and this run must not wait.
   * @throws {CacheError} `LOCK_TIMEOUT` or `IO`.
   */
  *lock(stripe: string): Operation<Lock | undefined> {
    if (!this.#files.tryLock) return undefined;
    const path = `${this.root}/locks/${stripe}`;
    const deadline = this.#platform.clock() + this.#options.lockTimeoutMs;
    for (let delayMs = 1;; delayMs = Math.min(delayMs * 2, MAX_LOCK_POLL_MS)) {
      const lock = yield* this.#tryLock(path);
      if (lock) return lock;
      if (this.#platform.clock() >= deadline) break;
      if (!(yield* perform(this.#platform.pause(delayMs)))) return undefined;
    }
    const message = `Cannot lock ${path}: held elsewhere for ${this.#options.lockTimeoutMs} ms`;
    throw new CacheError("LOCK_TIMEOUT", message, { path });
  }

  *#tryLock(path: string): Operation<Lock | undefined> {
    try {
      return yield* perform(this.#files.tryLock!(path));
    } catch (error) {
      throw ioFault("lock", path, error);
    }
  }

  *#probe(): Operation<Ability> {
    const { path, readOnly } = this.#options;
    const access = this.#files.access(path);
    if (!access.read) return { disk: "off", ...this.#forbidden("read") };
    if (readOnly) return yield* this.#withoutWrites({ reason: "the option readOnly is set" });
    if (!access.write) return yield* this.#withoutWrites(this.#forbidden("write"));
    const probe = `${this.temporary}/${this.#files.temporaryName()}`;
    try {
      yield* perform(this.#files.makeDirectory(this.temporary));
      yield* perform(this.#files.makeDirectory(`${this.root}/locks`));
      yield* perform(this.#files.create(probe, []));
      yield* perform(this.#files.remove(probe));
      yield* this.#tag(`${path}/CACHEDIR.TAG`);
      return { disk: "read-write" };
    } catch (error) {
      const fault = ioFault("write to directory", path, error);
      return yield* this.#withoutWrites({ reason: fault.message, fault });
    }
  }

  *#withoutWrites(why: Omit<Ability, "disk">): Operation<Ability> {
    const { path } = this.#options;
    try {
      yield* perform(this.#files.list(path));
      return { disk: "read-only", ...why };
    } catch (error) {
      const fault = ioFault("read directory", path, error);
      return { disk: "off", reason: why.fault ? why.reason : fault.message, fault: why.fault ?? fault };
    }
  }

  *#tag(path: string): Operation<void> {
    try {
      yield* perform(this.#files.create(path, [CACHEDIR_TAG]));
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }

  #forbidden(act: "read" | "write"): { reason: string; fault: CacheError } {
    const { path } = this.#options;
    const fault = new CacheError("IO", `Cannot ${act} directory ${path}: the program has no permission to`, { path });
    return { reason: fault.message, fault };
  }
}

/** A fault of the file system, with the runtime's own error as its cause. */
export function ioFault(act: string, path: string, cause: unknown): CacheError {
  return new CacheError("IO", `Cannot ${act} ${path}: ${systemCode(cause)}`, { path, cause });
}
