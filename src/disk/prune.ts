// Prune: removes entries that have gone unused, entries beyond the limit, and leftovers of killed writers. Touches only
// names of the cache's own, and those of all engines, so that entries of versions no longer in use go first.

import type { Directory } from "./directory.ts";
import { type Effect, forEach, type Operation, perform } from "../effect.ts";
import { type CacheError, ioFault, isMissing, systemCode } from "../errors.ts";
import { ENTRY_NAME, FOLDER_NAME, PREFIX_NAME } from "./key.ts";
import type { FileInfo, Files } from "../platform/platform.ts";
import { Uses } from "./uses.ts";

/** Plan of a prune. */
export interface PrunePlan {
  /** The time, ms since 1970. */
  readonly nowMs: number;
  /** How long an entry may go unused, ms. */
  readonly maxAgeMs: number;
  /** Most bytes of all entries. */
  readonly maxBytes: number;
  /** Bytes to be written next. */
  readonly room: number;
  /** Removes nothing, and reports what would be removed. */
  readonly isDryRun: boolean;
}

/** Result of a prune. */
export interface PruneResult {
  /** Entries removed, of all engines. */
  readonly removedEntries: number;
  /** Their bytes. */
  readonly removedBytes: number;
  /** Entries left. */
  readonly entries: number;
  /** Bytes left, including those of entries being written. */
  readonly bytes: number;
}

/** What a prune of nothing gives. */
export const NOTHING_PRUNED: PruneResult = { removedEntries: 0, removedBytes: 0, entries: 0, bytes: 0 };

interface Found {
  readonly path: string;
  readonly size: number;
  /** When it was last used, as far as known, ms since 1970, an integer: archives and images may set any time. */
  readonly usedMs: number;
  /** Time since its last use or restore, ms. */
  readonly idleMs: number;
}

/** Share of the limit that a prune leaves: caches add to it before they prune again. */
const LOW_WATER = 0.8;

/** Precision of an entry's last use, and how long a temporary file is idle before it counts as abandoned, ms. */
export const HOUR_MS = 3_600_000;

/** How often what is left is looked at again. */
const MAX_ROUNDS = 10;

/** Errors for lack of permission. */
const NOT_OURS = ["EACCES", "EPERM", "NotCapable"];

/** Files not yet published. */
const TEMPORARY_NAME = /^\d+-[0-9a-f-]+$/;

/** One prune of a directory. */
export class Prune {
  /** The first fault that left something where it was. */
  fault?: CacheError;
  readonly #files: Files;
  readonly #directory: Directory;
  readonly #plan: PrunePlan;
  /** Entries that could not be removed, or would be if this were no dry run. */
  readonly #tried = new Set<string>();
  #temporaryBytes = 0;
  readonly #result = { removedEntries: 0, removedBytes: 0, entries: 0, bytes: 0 };

  /** Touches nothing yet. */
  constructor(files: Files, directory: Directory, plan: PrunePlan) {
    this.#files = files;
    this.#directory = directory;
    this.#plan = plan;
  }

  /**
   * Removes entries that have gone unused for too long; then, if the rest is too much, the least recently used. Files
   * that vanish or appear meanwhile are no fault. An entry used after it was listed may be removed too: its reader has
   * it open.
   *
   * @throws {CacheError} `IO` when the directory cannot be listed.
   */
  *run(): Operation<PruneResult> {
    const { maxAgeMs, maxBytes, room } = this.#plan;
    const result = this.#result;
    yield* this.#sweep();
    let uses = yield* this.#walk((entries) => entries.filter(({ idleMs }) => idleMs > maxAgeMs));
    const target = Math.min(maxBytes * LOW_WATER, maxBytes - room);
    // Once, unless some cannot be removed or others come meanwhile.
    for (let roundsLeft = MAX_ROUNDS; result.bytes > target && roundsLeft > 0; roundsLeft--) {
      const cut = uses.until(result.bytes - target);
      if (!cut) break;
      const { timeMs, bytesBefore } = cut;
      let needed = result.bytes - target - bytesBefore;
      uses = yield* this.#walk((entries) => {
        // All entries of an image may have one time.
        const last = firstOf(entries.filter(({ usedMs }) => usedMs === timeMs), needed);
        needed -= bytesOf(last);
        return [...entries.filter(({ usedMs }) => usedMs < timeMs), ...last];
      });
    }
    return result;
  }

  /**
   * Visits the entries of every engine, a folder at a time, removes those that `choose` returns, and counts the rest.
   *
   * @returns What may still be removed.
   */
  *#walk(choose: (entries: readonly Found[]) => readonly Found[]): Operation<Uses> {
    const { root } = this.#directory;
    const uses = new Uses();
    Object.assign(this.#result, { entries: 0, bytes: this.#temporaryBytes });
    for (const folder of yield* this.#names(root, FOLDER_NAME)) {
      const prefixes = yield* this.#names(`${root}/${folder}`, PREFIX_NAME);
      for (const prefix of prefixes) {
        const entries = yield* this.#entriesIn(`${root}/${folder}/${prefix}`);
        const chosen = new Set(choose(entries));
        for (const entry of entries) if (!chosen.has(entry)) uses.add(entry.usedMs, entry.size);
        yield* forEach(chosen, (entry) => this.#remove(entry));
      }
      // Removes the folders of engines no longer used.
      if (prefixes.length === 0) yield* this.#removeEmpty(`${root}/${folder}`);
    }
    return uses;
  }

  /** The entries of a folder that may still be removed; counts all that are there, or would be. */
  *#entriesIn(path: string): Operation<Found[]> {
    const files = yield* this.#filesIn(path, ENTRY_NAME);
    if (files.length === 0) yield* this.#removeEmpty(path);
    const left = files.filter((file) => !this.#tried.has(file.path));
    const counted = this.#plan.isDryRun ? left : files;
    this.#result.entries += counted.length;
    this.#result.bytes += bytesOf(counted);
    return left;
  }

  /** Removes leftovers of killed writers, and counts what others are writing. */
  *#sweep(): Operation<void> {
    const files = yield* this.#filesIn(this.#directory.temporary, TEMPORARY_NAME);
    yield* forEach(files, (file) => this.#sweepOne(file, file.idleMs > HOUR_MS && !this.#plan.isDryRun));
  }

  *#sweepOne({ path, size }: Found, mayGo: boolean): Operation<void> {
    const isGone = mayGo && (yield* this.#attempt(path, this.#files.remove(path)));
    if (!isGone) this.#temporaryBytes += size;
  }

  *#remove({ path, size }: Found): Operation<void> {
    const result = this.#result;
    const isGone = !this.#plan.isDryRun && (yield* this.#attempt(path, this.#files.remove(path)));
    if (!isGone) this.#tried.add(path);
    if (!isGone && !this.#plan.isDryRun) return;
    result.removedEntries++;
    result.removedBytes += size;
    result.entries--;
    result.bytes -= size;
  }

  /** Not when making room, which happens often: writers may be about to use the folder. */
  *#removeEmpty(path: string): Operation<void> {
    if (this.#plan.isDryRun || this.#plan.room > 0) return;
    try {
      yield* perform(this.#files.removeDirectory(path));
    } catch {
      // Any error: the next prune tries again.
    }
  }

  *#filesIn(path: string, names: RegExp): Operation<Found[]> {
    const { isDryRun, nowMs } = this.#plan;
    const files = yield* this.#listing(path, this.#files.listFiles(path, names));
    const future = files.filter(({ modifiedMs }) => modifiedMs > nowMs + HOUR_MS);
    // Set by a wrong clock, which would keep the file for ever.
    const touch = ({ name }: FileInfo) => this.#attempt(`${path}/${name}`, this.#files.touch(`${path}/${name}`, nowMs));
    if (!isDryRun) yield* forEach(future, touch);
    return files.map(({ name, size, modifiedMs, changedMs }) => ({
      path: `${path}/${name}`,
      size,
      usedMs: Math.floor(Math.min(modifiedMs, nowMs)),
      idleMs: Math.max(0, nowMs - Math.max(modifiedMs, changedMs)),
    }));
  }

  *#names(path: string, pattern: RegExp): Operation<string[]> {
    return (yield* this.#listing(path, this.#files.list(path))).filter((name) => pattern.test(name));
  }

  /** Lists a folder. A folder that may not be read is left out, with a fault. */
  *#listing<T>(path: string, effect: Effect<T[]>): Operation<T[]> {
    try {
      return yield* perform(effect);
    } catch (error) {
      if (isMissing(error)) return [];
      const fault = ioFault("prune", path, error);
      if (!NOT_OURS.includes(systemCode(error))) throw fault;
      this.fault ??= fault;
      return [];
    }
  }

  /** Takes a step for one file. Returns `false` if it fails, and keeps the fault. A file that is gone is no fault. */
  *#attempt(path: string, effect: Effect<void>): Operation<boolean> {
    try {
      yield* perform(effect);
    } catch (error) {
      if (isMissing(error)) return true;
      this.fault ??= ioFault("prune", path, error);
      return false;
    }
    return true;
  }
}

/** Takes entries from the front of a list until they add up to that many bytes. */
function firstOf(entries: Found[], bytes: number): Found[] {
  let count = 0;
  for (let sum = 0; count < entries.length && sum < bytes; count++) sum += entries[count]!.size;
  return entries.slice(0, count);
}

function bytesOf(entries: readonly Found[]): number {
  return entries.reduce((sum, { size }) => sum + size, 0);
}
