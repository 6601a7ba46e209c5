// The account of a directory: how many bytes its entries take, without looking at each. Writers of all processes add to
// one file: the time of the last prune, then the bytes after it and of each entry written since, as doubles of the
// machine. It may say too much, for entries that were replaced or removed; a prune makes it anew.

import { ioFault, isForeign, isMissing } from "../errors.ts";
import type { Directory } from "./directory.ts";
import { type Operation, perform } from "../effect.ts";
import type { Bytes, Files } from "../platform/platform.ts";

/** What an account says. */
export interface Balance {
  /** When the directory was last pruned, ms since 1970. */
  readonly prunedMs: number;
  /** Bytes that were in it then. */
  readonly prunedBytes: number;
  /** Bytes in it now. */
  readonly bytes: number;
}

/** Shortest account, bytes: time, and bytes then. */
const MIN_BYTES = 16;

/** Longest account that is read, bytes: a longer one is made anew. */
const MAX_BYTES = 64 * 1024;

/** The account of a directory. */
export class Account {
  readonly #files: Files;
  readonly #directory: Directory;

  /** Touches nothing yet. */
  constructor(files: Files, directory: Directory) {
    this.#files = files;
    this.#directory = directory;
  }

  /**
   * Adds bytes that are about to be written.
   *
   * @returns What it comes to, or `undefined` where it has to be made anew.
   * @throws {CacheError} `IO` when it cannot be written.
   */
  *add(bytes: number): Operation<Balance | undefined> {
    return yield* this.#append(encode(bytes));
  }

  /**
   * Reads it.
   *
   * @returns What it says, or `undefined` where it has to be made anew.
   * @throws {CacheError} `IO` when it cannot be read.
   */
  *read(): Operation<Balance | undefined> {
    return yield* this.#append(encode());
  }

  *#append(amounts: Bytes): Operation<Balance | undefined> {
    try {
      return decode(yield* perform(this.#files.append(this.#path, amounts, MAX_BYTES)));
    } catch (error) {
      if (isMissing(error) || isForeign(error)) return undefined;
      throw ioFault("write", this.#path, error);
    }
  }

  /**
   * Makes it anew.
   *
   * @throws {CacheError} `IO` when it cannot be written.
   */
  *set({ prunedMs, prunedBytes }: Omit<Balance, "bytes">): Operation<void> {
    try {
      yield* this.#directory.replace(this.#path, [encode(prunedMs, prunedBytes)]);
    } catch (error) {
      throw ioFault("write", this.#path, error);
    }
  }

  get #path(): string {
    return `${this.#directory.root}/account`;
  }
}

function encode(...amounts: number[]): Bytes {
  return new Uint8Array(Float64Array.from(amounts).buffer);
}

function decode(bytes: Bytes): Balance | undefined {
  if (bytes.length % 8 !== 0 || bytes.length < MIN_BYTES || bytes.length >= MAX_BYTES) return undefined;
  const [prunedMs = NaN, ...amounts] = new Float64Array(bytes.slice().buffer);
  if (!Number.isFinite(prunedMs) || amounts.some((amount) => !(amount >= 0))) return undefined;
  return { prunedMs, prunedBytes: amounts[0]!, bytes: amounts.reduce((sum, amount) => sum + amount, 0) };
}

/** Tells whether no prune was in between. */
export function isSince(balance: Balance | undefined, earlier: Balance | undefined): boolean {
  return balance?.prunedMs === earlier?.prunedMs && balance?.prunedBytes === earlier?.prunedBytes;
}
