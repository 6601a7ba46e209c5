// Which entries have been checked in full, and as what files: for caches that trust files that have not changed since.
// One file in the directory, replaced as a whole; what is lost of it costs a check.

import { type Operation, perform } from "../effect.ts";
import { fromUtf8, toUtf8 } from "../platform/globals.ts";
import type { Files, OpenFile, Platform } from "../platform/platform.ts";
import type { Directory } from "./directory.ts";

/** Most records, the newest; a file of 100 bytes each. */
const MAX_RECORDS = 20_000;

/** How old the last change of a file must be, ms: one right after a check may have the same time. */
const SETTLED_MS = 2000;

/** Records of a directory. */
export class Checked {
  readonly #platform: Platform;
  readonly #files: Files;
  readonly #directory: Directory;
  /** What each entry was when it was checked; read when it is first asked for. */
  #records: Map<string, string> | undefined;

  /** Reads nothing yet. */
  constructor(platform: Platform, files: Files, directory: Directory) {
    this.#platform = platform;
    this.#files = files;
    this.#directory = directory;
  }

  /** Whether an entry was checked in full as this very file, and nothing about the file has changed since. */
  *has(key: string, file: OpenFile): Operation<boolean> {
    const identity = identityOf(file);
    if (identity === undefined) return false;
    this.#records ??= yield* this.#read();
    return this.#records.get(key) === identity;
  }

  /** Records that an entry has been checked in full. Returns whether that must be written. */
  note(key: string, file: OpenFile): boolean {
    const identity = identityOf(file);
    if (identity === undefined || this.#platform.now() - file.changedMs < SETTLED_MS) return false;
    this.#records?.delete(key);
    this.#records?.set(key, identity);
    return !this.#directory.mustNotWrite;
  }

  /** Writes all records, with those that others have written meanwhile. */
  *write(): Operation<void> {
    const all = new Map([...yield* this.#read(), ...this.#records ?? []]);
    const lines = [...all].slice(-MAX_RECORDS).map((record) => `${record.join(" ")}\n`);
    try {
      yield* this.#directory.replace(this.#path, [toUtf8(lines.join(""))]);
    } catch {
      // No room, or something in its place: the entries are checked again.
    }
  }

  get #path(): string {
    return `${this.#directory.root}/checked`;
  }

  /** Whatever is wrong with the file, the entries are checked. */
  *#read(): Operation<Map<string, string>> {
    try {
      const text = yield* perform(
        this.#files.withFile(this.#path, function* (file) {
          return file.exposure() ? "" : fromUtf8(yield* file.read(0, file.size));
        }),
      );
      return new Map(
        [...text.matchAll(/^([0-9a-f]{64}) (\d+ \d+ \d+)$/gm)].map(([, key, identity]) => [key!, identity!]),
      );
    } catch {
      return new Map();
    }
  }
}

function identityOf({ changedMs, inode, size }: OpenFile): string | undefined {
  // To the second: Deno does not tell more, and a file that has settled changes in a later one.
  return inode === undefined ? undefined : `${inode} ${size} ${Math.floor(changedMs / 1000)}`;
}
