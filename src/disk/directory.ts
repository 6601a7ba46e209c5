// The cache's directory: what may be done in it and why not more, and how files come into it. Knows no entries.

import { type Effect, immediate, type Operation, perform } from "../effect.ts";
import { FORMAT_VERSION } from "./entry.ts";
import { CacheError, ioFault, isMissing, systemCode } from "../errors.ts";
import { toUtf8 } from "../platform/globals.ts";
import type { Files } from "../platform/platform.ts";

/** What the disk tier can do here, and why not more. */
export interface DiskStatus {
  /** Whether entries are read and written, only read, or neither. */
  readonly disk: "read-write" | "read-only" | "off";
  /** Why the disk is not read and written; absent where it is. */
  readonly reason?: string;
}

/** Options of a directory. */
export interface DirectoryOptions {
  /** Absolute path. */
  readonly path: string;
  /** Never writes. */
  readonly readOnly: boolean;
  /** Never makes it: who removed it meant that. */
  readonly mustExist?: boolean;
  /** Machine code is kept here: nothing is read or written where others can change it. */
  readonly isNative?: boolean;
}

/** Why something must not be done; the fault is absent where that was the caller's wish. */
export interface Refusal {
  /** For people. */
  readonly reason: string;
  /** What strict mode throws. */
  readonly fault?: CacheError;
}

/** Marks the directory for backup programs: https://bford.info/cachedir/ */
const CACHEDIR_TAG = toUtf8(
  "Signature: 8a477f597d28d172789f06886806bc55\n# Compiled WebAssembly modules. Safe to delete at any time.\n",
);

/** A directory that a cache was given. */
export class Directory {
  readonly #files: Files;
  readonly #options: DirectoryOptions;
  #path: string;
  /** The links on the way were followed, and all folders found to be there and trustworthy. */
  #isKnown = false;

  /** Touches nothing yet. */
  constructor(files: Files, options: DirectoryOptions) {
    this.#path = options.path;
    this.#files = files;
    this.#options = options;
  }

  /** Path of the directory itself; of what its links lead to, once machine code was looked for. */
  get path(): string {
    return this.#path;
  }

  /** Path of all that this format version owns. */
  get root(): string {
    return `${this.#path}/v${FORMAT_VERSION}`;
  }

  get #lockFolder(): string {
    return `${this.root}/locks`;
  }

  /** Path for files not yet published. */
  get temporary(): string {
    return `${this.root}/tmp`;
  }

  /** Tells why nothing may be read, without touching the disk; `undefined` where it can be tried. */
  get mustNotRead(): Refusal | undefined {
    return this.#files.access(this.temporary).read ? undefined : this.#forbidden("read");
  }

  /** Tells why nothing may be written, without touching the disk; `undefined` where it can be tried. */
  get mustNotWrite(): Refusal | undefined {
    if (this.#options.readOnly) return { reason: "the option readOnly is set" };
    return this.#files.access(this.temporary).write ? undefined : this.#forbidden("write");
  }

  /**
   * Tells why machine code must not be loaded from here: somebody else could have put it there, or put another directory
   * in the place of this one. What is not there yet is nobody's.
   *
   * @param entry Path of an entry below the root, of which the folders are looked at: the entry itself is, once it is open.
   */
  *mustNotTrust(entry = ""): Operation<Refusal | undefined> {
    try {
      yield* this.#inspect(entry, !this.#isKnown || entry === "");
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      return { reason: error.message, fault: error };
    }
  }

  /**
   * Makes sure that machine code can be written here; for other directories it does nothing.
   *
   * @param entry Path of an entry below the root.
   * @throws {CacheError} `UNTRUSTED`; and the platform's own error.
   */
  *secure(entry = ""): Operation<void> {
    if (this.#options.isNative) yield* this.#inspect(entry, true);
  }

  /** @param isThorough Not only what an entry is in: also the way to the directory, and the folders that writers use. */
  *#inspect(entry: string, isThorough: boolean): Operation<void> {
    let isWhole = isThorough && (yield* this.#locate());
    const writers = isThorough ? [this.temporary, this.#lockFolder] : [];
    for (const place of [this.path, this.root, ...writers]) isWhole = (yield* this.#isThere(place)) && isWhole;
    this.#isKnown ||= isWhole;
    let place = this.root;
    for (const folder of entry.split("/").slice(0, -1)) yield* this.#isThere(place += `/${folder}`);
  }

  /** Follows links, once; gives whether the directory is there. */
  *#locate(): Operation<boolean> {
    try {
      const { path, exposure } = yield* perform(this.#files.locate(this.path));
      if (exposure) throw untrusted(this.path, exposure);
      this.#path = path;
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error instanceof CacheError ? error : untrusted(this.path, systemCode(error), error);
    }
  }

  /** Whether a folder is there; throws where it must not be trusted. */
  *#isThere(place: string): Operation<boolean> {
    let exposure;
    try {
      exposure = yield* perform(this.#files.exposure(place));
    } catch (error) {
      if (isMissing(error)) return false;
      throw untrusted(place, systemCode(error), error);
    }
    if (exposure) throw untrusted(place, exposure);
    return true;
  }

  /**
   * Finds out by trying what can be done now. Makes the directory where that is possible.
   *
   * @param isNative Machine code is to be loaded.
   */
  *status(isNative: boolean): Operation<DiskStatus> {
    const unreadable = this.mustNotRead ?? (isNative ? yield* this.mustNotTrust() : undefined);
    if (unreadable) return { disk: "off", reason: unreadable.reason };
    const refusal = this.mustNotWrite ?? (yield* this.#tryToWrite());
    if (!refusal) return { disk: "read-write" };
    const { reason } = refusal;
    if (refusal.fault?.code === "UNTRUSTED") return { disk: "off", reason };
    try {
      yield* perform(this.#files.list(this.path));
      return { disk: "read-only", reason };
    } catch (error) {
      return {
        disk: "off",
        reason: refusal.fault ? reason : ioFault("read directory", this.path, error).message,
      };
    }
  }

  /**
   * Takes a step that needs the directory; where that is missing, makes it and takes the step again.
   *
   * @param makeStep Makes the step: paths may be others once links were followed.
   */
  *within<T>(makeStep: () => Effect<T>): Operation<T> {
    yield* this.secure();
    try {
      return yield* perform(makeStep());
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    yield* this.makeFolders();
    // Somebody else may have been faster.
    yield* this.secure();
    return yield* perform(makeStep());
  }

  /**
   * Makes the directory where it is missing, for a caller who is there: all that is written without one must find it. One
   * call where nothing is missing.
   *
   * @returns Why it cannot be made.
   */
  *prepare(): Operation<CacheError | undefined> {
    if (this.#options.mustExist) return undefined;
    try {
      if (!(yield* this.#isMade())) yield* this.makeFolders();
    } catch (error) {
      return ioFault("make directory", this.path, error);
    }
  }

  *#isMade(): Operation<boolean> {
    try {
      // Not waited for, which would take Deno 300 µs for what takes 10.
      yield* perform(immediate("stat", this.#files.identify(this.temporary).sync));
      return true;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      return false;
    }
  }

  /** Makes the directory and the folders in it. */
  *makeFolders(): Operation<void> {
    if (this.#options.mustExist) throw Object.assign(new Error(`${this.path} is gone`), { code: "ENOENT" });
    // What is missing makes this happen again: the tag comes before it.
    yield* perform(this.#files.makeDirectory(this.root));
    yield* this.#tag(`${this.path}/CACHEDIR.TAG`);
    yield* perform(this.#files.makeDirectory(this.temporary));
    yield* perform(this.#files.makeDirectory(this.#lockFolder));
  }

  /**
   * Puts a file in the place of another, in one step for all who read it. Makes folders below the root, and never that.
   *
   * @throws The platform's own error; nothing is left behind then.
   */
  *replace(path: string, parts: readonly Uint8Array[]): Operation<void> {
    const temporary = `${this.temporary}/${this.#files.temporaryName()}`;
    try {
      yield* perform(this.#files.create(temporary, parts));
      yield* this.#moveInto(temporary, path);
    } catch (error) {
      yield* this.#discard(temporary);
      throw error;
    }
  }

  *#discard(path: string): Operation<void> {
    try {
      yield* perform(this.#files.remove(path));
    } catch {
      // It was not made, or is swept later: what went wrong before is what there is to tell.
    }
  }

  /**
   * Renames into a folder that is made where it is missing: a prune may remove it, and those above it, while empty. A
   * folder in the file's own place goes, unless there is something in it.
   */
  *#moveInto(from: string, to: string): Operation<void> {
    const above = to.slice(0, to.lastIndexOf("/"));
    for (let attemptsLeft = 5;; attemptsLeft--) {
      let code;
      try {
        return yield* perform(this.#files.rename(from, to));
      } catch (error) {
        code = systemCode(error);
        if (!["ENOENT", "EISDIR"].includes(code) || attemptsLeft === 0) throw error;
      }
      try {
        yield* perform(
          code === "EISDIR" ? this.#files.removeDirectory(to) : this.#files.makeDirectory(above, this.root),
        );
      } catch (error) {
        if (systemCode(error) !== "ENOENT") throw error;
      }
    }
  }

  *#tryToWrite(): Operation<Refusal | undefined> {
    const name = this.#files.temporaryName();
    try {
      yield* this.within(() => this.#files.create(`${this.temporary}/${name}`, []));
      yield* perform(this.#files.remove(`${this.temporary}/${name}`));
    } catch (error) {
      const fault = ioFault("write to directory", this.path, error);
      return { reason: fault.message, fault };
    }
  }

  *#tag(path: string): Operation<void> {
    try {
      yield* perform(this.#files.create(path, [CACHEDIR_TAG]));
    } catch (error) {
      if (systemCode(error) === "EEXIST") return;
      yield* this.#discard(path);
      throw error;
    }
  }

  #forbidden(act: "read" | "write"): Refusal {
    const { path } = this.#options;
    const fault = new CacheError("IO", `Cannot ${act} directory ${path}: the program has no permission to`, { path });
    return { reason: fault.message, fault };
  }
}

/** Somebody else could have made, or could change, what is there. */
export function untrusted(path: string, reason: string, cause?: unknown): CacheError {
  return new CacheError("UNTRUSTED", `Cannot trust ${path}: ${reason}`, { path, cause });
}
