// What is in a directory: the entries of all engines, by what they say of themselves, and whether each is what was
// written.

import { toHex } from "../bytes.ts";
import { type Operation, perform, runAsync } from "../effect.ts";
import { CacheError, isMissing, systemCode } from "../errors.ts";
import type { Bytes, FileInfo, Files, OpenFile, Platform } from "../platform/platform.ts";
import type { Directory } from "./directory.ts";
import { EntryChecks } from "./entry_checks.ts";
import { ENTRY_NAME, FOLDER_NAME, PREFIX_NAME } from "./key.ts";

/** An entry in the directory. */
export interface EntryInfo {
  /** Its name, as in {@linkcode Resolved}. */
  readonly key: string;
  /** Id of its engine, as the entry has it, unchecked; absent if it cannot be read. */
  readonly engineId?: string;
  /** SHA-256 of its code, hexadecimal, unchecked; absent if it cannot be read. */
  readonly codeDigest?: string;
  /** Length of the file, bytes. */
  readonly size: number;
  /** When it was last used, to the hour. */
  readonly lastUsed: Date;
  /** What its compile took, ms; absent if that is not known. */
  readonly compileMs?: number;
  /** Path of the file. */
  readonly path: string;
}

/** Options of {@linkcode ModuleCache.verify}. */
export interface VerifyOptions {
  /**
   * Removes nothing. Always so if the directory is read-only.
   *
   * @default {false}
   */
  dryRun?: boolean;
  /** Called after each entry, and awaited. If it throws or rejects, `verify` ends with that error. */
  onProgress?: (progress: VerifyProgress) => void;
  /** Ends the call, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Progress of `verify`. */
export interface VerifyProgress {
  /** Entries checked. */
  readonly done: number;
  /** Entries in all, as they were counted at the start. */
  readonly total: number;
  /** Bytes checked. */
  readonly bytes: number;
}

/** Result of `verify`. */
export interface VerifyResult {
  /** Entries checked. */
  readonly entries: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Those with which something is wrong. */
  readonly findings: readonly VerifyFinding[];
}

/** An entry with which something is wrong. */
export interface VerifyFinding {
  /** Its name. */
  readonly key: string;
  /** Path of the file. */
  readonly path: string;
  /** What is wrong, for people. */
  readonly reason: string;
  /**
   * - `"damaged"`: it is not what was written.
   * - `"unsigned"`: it is, but this cache's secret has not signed it.
   * - `"unreadable"`: it could not be read.
   */
  readonly kind: "damaged" | "unsigned" | "unreadable";
  /** Whether it was removed; only damaged ones are. */
  readonly removed: boolean;
}

/** Parts of an inventory. */
export interface InventoryParts {
  /** What the runtime offers. */
  readonly platform: Platform;
  /** Its files. */
  readonly files: Files;
  /** The directory. */
  readonly directory: Directory;
  /** Secret that signs entries. */
  readonly secret?: Bytes | CryptoKey;
}

interface Found {
  readonly folder: string;
  readonly key: string;
  readonly file: FileInfo;
  readonly path: string;
}

/** The entries of a directory. */
export class Inventory {
  readonly #parts: InventoryParts;
  readonly #checks: EntryChecks;
  readonly #signed: EntryChecks | undefined;

  /** Touches nothing yet. */
  constructor(parts: InventoryParts) {
    const { platform, secret } = parts;
    this.#parts = parts;
    this.#checks = new EntryChecks({ platform, maxBytes: Infinity });
    this.#signed = secret && new EntryChecks({ platform, secret, maxBytes: Infinity });
  }

  /**
   * Lists the entries, in no order. Those that vanish meanwhile are left out.
   *
   * @throws {CacheError} `IO` when a folder cannot be read.
   */
  async *list(): AsyncGenerator<EntryInfo, void, undefined> {
    for await (const { key, file: { modifiedMs, size }, path } of this.#files()) {
      const described = await this.#use(path, (file) => this.#checks.described(file));
      if (described === undefined) continue;
      const { header, id } = typeof described === "object" && "id" in described ? described : {};
      const compileMs = header && header.compileMs > 0 ? header.compileMs : undefined;
      const codeDigest = header && toHex(header.codeDigest);
      yield { key, engineId: id, codeDigest, size, lastUsed: new Date(modifiedMs), compileMs, path };
    }
  }

  /**
   * Checks all of every entry.
   *
   * @throws {CacheError} `IO` when a folder cannot be read.
   * @throws The reason of the signal, or what `onProgress` threw.
   */
  async verify({ dryRun = false, onProgress, signal }: VerifyOptions): Promise<VerifyResult> {
    let total = 0;
    for await (const _ of this.#files(signal)) total++;
    const [result, findings] = [{ entries: 0, bytes: 0 }, [] as VerifyFinding[]];
    for await (const found of this.#files(signal)) {
      const finding = await this.#verify(found, dryRun);
      if (finding) findings.push(finding);
      result.entries++;
      result.bytes += found.file.size;
      await onProgress?.({ done: result.entries, total: Math.max(total, result.entries), bytes: result.bytes });
    }
    return { ...result, findings };
  }

  async #verify({ folder, key, path }: Found, dryRun: boolean): Promise<VerifyFinding | undefined> {
    const [checks, signed] = [this.#checks, this.#signed];
    const found = await this.#use(path, function* (file): Operation<string | undefined> {
      const address = yield* checks.whole(path, file, folder, key);
      return signed && (yield* signed.fault(path, file, address));
    });
    if (found === undefined) return undefined;
    if (typeof found === "string") return { key, path, kind: "unsigned", reason: found, removed: false };
    if (found instanceof CacheError && found.code === "CORRUPT") {
      const removed = !dryRun && await this.#remove(path);
      return { key, path, kind: "damaged", reason: found.message, removed };
    }
    return { key, path, kind: "unreadable", reason: systemCode(found), removed: false };
  }

  /** Uses a file; gives the error if that fails, `undefined` if the file is gone. */
  async #use<T>(path: string, use: (file: OpenFile) => Operation<T>): Promise<T | Error | undefined> {
    try {
      return await runAsync(perform(this.#parts.files.withFile(path, use)));
    } catch (error) {
      return isMissing(error) ? undefined : error as Error;
    }
  }

  async #remove(path: string): Promise<boolean> {
    try {
      await runAsync(perform(this.#parts.files.remove(path)));
      return true;
    } catch (error) {
      return isMissing(error);
    }
  }

  /** The files that have an entry's name. */
  async *#files(signal?: AbortSignal): AsyncGenerator<Found, void, undefined> {
    const { directory, files } = this.#parts;
    for (const folder of await runAsync(directory.list("", FOLDER_NAME))) {
      for (const prefix of await runAsync(directory.list(folder, PREFIX_NAME))) {
        const path = `${directory.root}/${folder}/${prefix}`;
        // A folder that goes meanwhile has nothing in it.
        const found = await runAsync(perform(files.listFiles(path, ENTRY_NAME))).catch((error) => {
          if (isMissing(error)) return [];
          throw error;
        });
        for (const file of found) {
          signal?.throwIfAborted();
          yield { folder, key: prefix + file.name, file, path: `${path}/${file.name}` };
        }
      }
    }
  }
}
