// The account of a directory: how many bytes its entries take, without looking at each. Writers of all processes add to
// one file: the time of the last prune, then the bytes after it and of each entry written since, as little-endian
// doubles. It may say too much, for entries that were replaced or removed; a prune makes it anew.

import { type Directory, ioFault, isForeign, isMissing } from "./directory.ts";
import { type Operation, perform } from "./effect.ts";
import type { Bytes, Files } from "./platform/platform.ts";

/** What an account says. */
export interface Balance {
  /** When the directory was last pruned, ms since 1970. */
  readonly prunedMs: number;
  /** Bytes in it since. */
  readonly bytes: number;
}

/** Shortest account, bytes: time, bytes then, bytes added. */
const MIN_BYTES = 24;

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
    try {
      return decode(yield* perform(this.#files.append(this.#path, encode(bytes), MAX_BYTES)));
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
  *set({ prunedMs, bytes }: Balance): Operation<void> {
    try {
      yield* this.#directory.replace(this.#path, [encode(prunedMs, bytes)]);
    } catch (error) {
      throw ioFault("write", this.#path, error);
    }
  }

  get #path(): string {
    return `${this.#directory.root}/account`;
  }
}

function encode(...amounts: number[]): Bytes {
  const bytes = new Uint8Array(8 * amounts.length);
  const view = new DataView(bytes.buffer);
  amounts.forEach((amount, i) => view.setFloat64(8 * i, amount, true));
  return bytes;
}

function decode(bytes: Bytes): Balance | undefined {
  if (bytes.length % 8 !== 0 || bytes.length < MIN_BYTES || bytes.length >= MAX_BYTES) return undefined;
  const view = new DataView(bytes.buffer);
  let sum = 0;
  for (let at = 8; at < bytes.length; at += 8) {
    const amount = view.getFloat64(at, true);
    if (!(amount >= 0)) return undefined;
    sum += amount;
  }
  const prunedMs = view.getFloat64(0, true);
  return Number.isFinite(prunedMs) ? { prunedMs, bytes: sum } : undefined;
}
