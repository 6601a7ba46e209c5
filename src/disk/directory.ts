// The cache's directory: what may be read and written in it, and how files are put there. Knows no entries.

import { atOnce, type Effect, type Operation, perform } from "../effect.ts";
import { CacheError, ioFault, isMissing, systemCode } from "../errors.ts";
import { toUtf8 } from "../platform/globals.ts";
import type { Files } from "../platform/platform.ts";

/** Whether the directory can be read and written, and why not. */
export interface DiskStatus {
  /** Whether entries are read and written, only read, or neither. */
  readonly disk: "read-write" | "read-only" | "off";
  /** Why the disk is not both read and written; absent if it is. For people: its wording may change. */
  readonly reason?: string;
}

/** Options of a directory. */
export interface DirectoryOptions {
  /** Absolute path. */
  readonly path: string;
  /** Never writes. */
  readonly readOnly: boolean;
  /** Never creates it: whoever removed it meant that. */
  readonly mustExist?: boolean;
  /** Machine code is stored here: nothing is read or written if others can change it. */
  readonly isNative?: boolean;
}

/** Why something must not be done. The fault is absent if that is the caller's wish. */
export interface Refusal {
  /** For people. */
  readonly reason: string;
  /** The fault that strict mode throws. */
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
  /** Set once links have been followed, and all folders were found there and trustworthy. */
  #isKnown = false;

  /** Touches nothing yet. */
  constructor(files: Files, options: DirectoryOptions) {
    this.#path = options.path;
    this.#files = files;
    this.#options = options;
  }

  /** Path of the directory; its real path once machine code has been looked up. */
  get path(): string {
    return this.#path;
  }

  /** Folder of everything that this format version owns. */
  get root(): string {
    return `${this.#path}/v1`;
  }

  get #lockFolder(): string {
    return `${this.root}/locks`;
  }

  /** Folder of files not yet published. */
  get temporary(): string {
    return `${this.root}/tmp`;
  }

  /** Why nothing may be read, found without touching the disk; `undefined` if reading may be tried. */
  get mustNotRead(): Refusal | undefined {
    return this.#files.mayAccess(this.temporary, "read") ? undefined : this.#forbidden("read");
  }

  /** Why nothing may be written, found without touching the disk; `undefined` if writing may be tried. */
  get mustNotWrite(): Refusal | undefined {
    if (this.#options.readOnly) return { reason: "the option readOnly is set" };
    return this.#files.mayAccess(this.temporary, "write") ? undefined : this.#forbidden("write");
  }

  /**
   * Why machine code must not be loaded from here: someone else could have put it there, or replaced the directory.
   * Missing folders are no reason.
   *
   * @param entry Path of an entry below the root. Its folders are checked here; the entry itself once it is open.
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
   * Makes sure that machine code can be written here. Does nothing for other directories.
   *
   * @param entry Path of an entry below the root.
   * @throws {CacheError} `UNTRUSTED`; and the platform's own error.
   */
  *secure(entry = ""): Operation<void> {
    if (this.#options.isNative) yield* this.#inspect(entry, true);
  }

  /** @param isThorough Also checks the way to the directory, and the folders that writers use. */
  *#inspect(entry: string, isThorough: boolean): Operation<void> {
    let isWhole = isThorough && (yield* this.#locate());
    const writers = isThorough ? [this.temporary, this.#lockFolder] : [];
    for (const place of [this.path, this.root, ...writers]) isWhole = (yield* this.#isThere(place)) && isWhole;
    this.#isKnown ||= isWhole;
    let place = this.root;
    for (const folder of entry.split("/").slice(0, -1)) yield* this.#isThere(place += `/${folder}`);
  }

  /** Follows links, once. Returns whether the directory is there. */
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

  /** Whether a folder is there. Throws if it must not be trusted. */
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
   * Lists a folder of the cache's own; a missing one is empty.
   *
   * @param folder Path below the root.
   * @param names Pattern of the names wanted.
   * @throws {CacheError} `IO` when it cannot be read.
   */
  *list(folder: string, names: RegExp): Operation<string[]> {
    const path = folder === "" ? this.root : `${this.root}/${folder}`;
    try {
      return (yield* perform(this.#files.list(path))).filter((name) => names.test(name));
    } catch (error) {
      if (isMissing(error)) return [];
      throw ioFault("list", path, error);
    }
  }

  /**
   * Reports whether the directory can be read and written, by trying it. Creates it if it does not exist.
   *
   * @param isNative Whether machine code is to be loaded.
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
   * Takes a step that needs the directory. If that is missing, creates it and takes the step again.
   *
   * @param makeStep Creates the step: paths may differ once links have been followed.
   */
  *within<T>(makeStep: () => Effect<T>): Operation<T> {
    yield* this.secure();
    try {
      return yield* perform(makeStep());
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
    yield* this.makeFolders();
    // Someone else may have created it meanwhile.
    yield* this.secure();
    return yield* perform(makeStep());
  }

  /**
   * Creates the directory if it is missing, during a lookup: later writes in the background do not create it. One
   * system call if nothing is missing.
   *
   * @returns Why it cannot be created; `undefined` if it is there.
   */
  *prepare(): Operation<CacheError | undefined> {
    if (this.#options.mustExist) return undefined;
    try {
      // Of many lookups at once, one makes them.
      if (!(yield* atOnce(this.#isMade()))) yield* atOnce(this.makeFolders());
    } catch (error) {
      return ioFault("make directory", this.path, error);
    }
  }

  *#isMade(): Operation<boolean> {
    try {
      yield* perform(this.#files.identify(this.temporary));
      return true;
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      return false;
    }
  }

  /** Creates the directory and the folders in it. */
  *makeFolders(): Operation<void> {
    if (this.#options.mustExist) throw Object.assign(new Error(`${this.path} is gone`), { code: "ENOENT" });
    // The tag comes first: a missing folder brings us here again, a missing tag does not.
    yield* perform(this.#files.makeDirectory(this.root));
    yield* this.#tag(`${this.path}/CACHEDIR.TAG`);
    yield* perform(this.#files.makeDirectory(this.temporary));
    yield* perform(this.#files.makeDirectory(this.#lockFolder));
  }

  /**
   * Writes a file and renames it into place, so that readers see the old file or the new one. Creates folders below the
   * root, never the root.
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
      // It was not created, or is swept later. The earlier error is the one to report.
    }
  }

  /**
   * Renames into a folder, which is created if it is missing: a prune may remove empty folders at any time. A folder in
   * the file's own place goes, unless there is something in it.
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

/** The fault for a place that someone else could have created or could change. */
export function untrusted(path: string, reason: string, cause?: unknown): CacheError {
  return new CacheError("UNTRUSTED", `Cannot trust ${path}: ${reason}`, { path, cause });
}
