// Stores bytes in the directory: reads and verifies entries, publishes and removes them. Never sees a module.

import type { Checked } from "./checked.ts";
import type { Directory } from "./directory.ts";
import { CannotWait, forEach, type Operation, perform } from "../effect.ts";
import { corrupt, EntryChecks, inMemory, type Source } from "./entry_checks.ts";
import { CacheError, ioFault, isForeign, isMissing, systemCode } from "../errors.ts";
import type { Limits, Written } from "./limits.ts";
import { type Address, ENTRY_NAME, FOLDER_NAME, PREFIX_NAME } from "./key.ts";
import type { Bytes, Files, OpenFile } from "../platform/platform.ts";
import { HOUR_MS } from "./prune.ts";
import { type Facts, seal, type Sealing } from "./seal.ts";

/** Parts of the disk tier. */
export interface DiskTierParts extends Sealing {
  /** Its files. */
  readonly files: Files;
  /** Where entries are. */
  readonly directory: Directory;
  /** Limits of the directory. */
  readonly limits: Limits;
  /** Entries that are mapped without a check while their files do not change; absent if all are checked. */
  readonly checked?: Checked;
  /** Has records written later. */
  readonly later?: (write: () => Operation<void>) => void;
}

/** Options of reading an entry. */
export interface ReadOptions<T> extends Source {
  /**
   * Takes the payload from a file that begins with it, if there is a path that leads to the very file that was checked.
   */
  readonly map?: (path: string) => Operation<T>;
}

/** Options of publishing an entry. */
export interface PublishOptions extends Facts {
  /** What follows the payload, if that is known. */
  readonly end?: Bytes;
}

/** Result of publishing an entry. */
export interface Published extends Written {
  /** Its length, bytes. */
  readonly bytes: number;
}

/** Entries in a directory. */
export class DiskTier {
  readonly #parts: DiskTierParts;
  readonly #checks: EntryChecks;

  /** Touches nothing yet. */
  constructor(parts: DiskTierParts) {
    this.#parts = parts;
    this.#checks = new EntryChecks({ ...parts, maxBytes: parts.limits.maxBytes });
  }

  /**
   * Reads and verifies an entry, and records that it was used. Takes no lock.
   *
   * @param address Address of the entry.
   * @param options What the payload must be.
   * @returns The payload, or what `map` returned; a fault that says what is wrong with the entry; or `undefined` if there
   * is none.
   * @throws {CacheError} `IO` when an entry may be there but cannot be read; `UNTRUSTED` when others could have made it.
   * @throws {CannotWait} In a synchronous run that would have to check an HMAC by a `CryptoKey`.
   */
  *read<T = never>(
    address: Address,
    { map, ...source }: ReadOptions<T> = {},
  ): Operation<Bytes | CacheError | T | undefined> {
    const path = this.#pathOf(address);
    const use = function* (this: DiskTier, file: OpenFile) {
      const taken = (map && (yield* this.#mapped(path, file, address, { map, onRead: source.onRead }))) ??
        (yield* this.#checks.payload(path, file, address, source));
      return { taken, modifiedMs: file.modifiedMs };
    };
    let found;
    try {
      found = yield* perform(this.#parts.files.withFile(path, use.bind(this)));
    } catch (error) {
      if (isMissing(error)) return undefined;
      return this.#unreadable(path, error);
    }
    yield* this.#noteUse(path, found.modifiedMs);
    return found.taken;
  }

  /** Reads a whole entry, and checks it; `undefined` whatever is wrong with it, or if it is longer than `maxBytes`. */
  *whole(address: Address, maxBytes: number): Operation<Bytes | undefined> {
    const path = this.#pathOf(address);
    const checks = this.#checks;
    try {
      return yield* perform(
        this.#parts.files.withFile(path, function* (file) {
          if (file.size > maxBytes) return undefined;
          const entry = yield* file.read(0, file.size);
          yield* checks.payload(path, inMemory(entry), address, {});
          return entry;
        }),
      );
    } catch {
      // Whoever reads it next tells.
      return undefined;
    }
  }

  /**
   * Writes an entry: a new file, renamed over whatever is there. Never changes a published file.
   *
   * @returns Whether it was written, and a fault while making room that did not prevent it.
   * @throws {CacheError} `IO` when it cannot be written, `LIMIT` when there is no room for it, `CORRUPT` when the
   * payload is not the code that it must be, `UNTRUSTED` when others could change machine code. Nothing is left behind
   * then.
   */
  *publish(address: Address, payload: Bytes, { end: given, ...facts }: PublishOptions): Operation<Published> {
    const { directory, limits } = this.#parts;
    yield* writing(this.#pathOf(address), directory.secure(address.path));
    // Links have been followed by now.
    const path = this.#pathOf(address);
    const end = given ?? (yield* seal(this.#parts, address, payload, facts));
    const size = end.length + payload.length;
    const written = yield* limits.writeWithin(size, () => writing(path, directory.replace(path, [payload, end])));
    return { ...written, bytes: size };
  }

  /** Removes an entry. Returns whether it was there. */
  *remove(below: string): Operation<boolean> {
    const path = `${this.#parts.directory.root}/${below}`;
    try {
      yield* perform(this.#parts.files.remove(path));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw ioFault("remove entry", path, error);
    }
  }

  /**
   * Removes every entry of an engine's folder, and nothing else that is in it.
   *
   * @param folder All engines' where absent.
   */
  *clear(folder?: string): Operation<void> {
    const { directory } = this.#parts;
    const folders = folder === undefined ? yield* directory.list("", FOLDER_NAME) : [folder];
    const remove = this.remove.bind(this);
    for (const folder of folders) {
      for (const prefix of yield* directory.list(folder, PREFIX_NAME)) {
        yield* forEach(yield* directory.list(`${folder}/${prefix}`, ENTRY_NAME), function* (name) {
          yield* remove(`${folder}/${prefix}/${name}`);
        });
      }
    }
  }

  #pathOf(address: Address): string {
    return `${this.#parts.directory.root}/${address.path}`;
  }

  /** Interprets an error of reading: `undefined` if it means that there is no usable entry. Throws any other. */
  #unreadable(path: string, error: unknown): CacheError {
    if (error instanceof CacheError && error.code === "CORRUPT") return error;
    if (error instanceof CacheError || error instanceof CannotWait) throw error;
    const code = systemCode(error);
    if (code === "EFBIG") return corrupt(path, "it is larger than memory");
    if (isForeign(error)) return corrupt(path, `it is no file: ${code}`);
    throw ioFault("read entry", path, error);
  }

  /** Checks the payload, unless that was done before, and has it mapped; `undefined` if no path leads to the file. */
  *#mapped<T>(
    path: string,
    file: OpenFile,
    address: Address,
    { map, onRead }: Pick<Required<ReadOptions<T>>, "map"> & Pick<ReadOptions<T>, "onRead">,
  ): Operation<T | undefined> {
    const { checked, later } = this.#parts;
    const checks = this.#checks;
    return yield* file.at(function* (link) {
      if (link === undefined) return undefined;
      const isKnown = checked && !file.exposure() && (yield* checked.has(address.key, file));
      if (!isKnown) {
        onRead?.(yield* checks.inPlace(path, file, address), file.size);
        if (checked?.note(address.key, file)) later?.(() => checked.write());
      }
      return yield* map(link);
    });
  }

  /** Records the use, to the hour, as the file's time: the least recently used entries are removed first. */
  *#noteUse(path: string, modifiedMs: number): Operation<void> {
    const { directory, files, platform } = this.#parts;
    const nowMs = platform.now();
    if (Math.abs(nowMs - modifiedMs) <= HOUR_MS || directory.mustNotWrite) return;
    try {
      yield* perform(files.touch(path, nowMs));
    } catch {
      // Any error: the entry may be removed too early, and is made again then.
    }
  }
}

/** Runs a write, and wraps its error as a fault of the cache. */
function* writing(path: string, step: Operation<void>): Operation<void> {
  try {
    yield* step;
  } catch (error) {
    throw ioFault("write entry", path, error);
  }
}
