// Keeps the directory within its limits: makes room before something is written, and prunes from time to time.

import { Account } from "./account.ts";
import type { Directory } from "./directory.ts";
import { type Effect, type Operation, perform } from "./effect.ts";
import { CacheError } from "./errors.ts";
import type { Files, Lock, Platform } from "./platform/platform.ts";
import { HOUR_MS, Prune, type PrunePlan, type PruneResult } from "./prune.ts";

/** Limits of a directory. */
export interface DiskLimits {
  /** Bytes of all entries. */
  readonly maxBytes: number;
  /** Time since an entry was last used, ms. */
  readonly maxAgeMs: number;
}

/** What a prune did, and the first fault that left something where it was. */
export interface Pruned extends PruneResult {
  /** The fault. */
  readonly fault?: CacheError;
}

/** What came of asking for room. */
export interface Reservation {
  /** `false` where another process takes the room that there is, or is just making some: nothing should be written. */
  readonly hasRoom: boolean;
  /** The first fault that left something where it was. */
  readonly fault?: CacheError;
}

/** The limits of a directory, kept. */
export class Housekeeping {
  readonly #platform: Platform;
  readonly #files: Files;
  readonly #directory: Directory;
  readonly #limits: DiskLimits;
  readonly #account: Account;
  #prunedMs = Infinity;
  #lastTurn: Promise<void> | undefined;

  /** Touches nothing yet. */
  constructor(platform: Platform, files: Files, directory: Directory, limits: DiskLimits) {
    this.#platform = platform;
    this.#files = files;
    this.#directory = directory;
    this.#limits = limits;
    this.#account = new Account(files, directory);
  }

  /** Tells whether the last prune that a write of this cache saw is long ago. */
  get isDue(): boolean {
    return Math.abs(this.#platform.now() - this.#prunedMs) > HOUR_MS && this.#prunedMs < Infinity;
  }

  /**
   * Accounts for bytes that are about to be written; where they are too much, makes room.
   *
   * @throws {CacheError} `LIMIT` where there can be no room, `IO` where that cannot be known.
   */
  *reserve(bytes: number): Operation<Reservation> {
    const { maxBytes } = this.#limits;
    if (bytes > maxBytes) throw this.#noRoom(`its ${bytes} bytes are more than maxDiskBytes, ${maxBytes}`);
    const endTurn = yield* perform(this.#turn());
    let fault: CacheError | undefined;
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        const balance = yield* this.#account.add(bytes);
        this.#prunedMs = balance?.prunedMs ?? this.#prunedMs;
        if (balance && balance.bytes <= maxBytes) return { hasRoom: true, fault };
        const left = yield* this.pruneAlone(bytes);
        if (!left) break;
        if (left.bytes + bytes > maxBytes) {
          throw this.#noRoom(left.fault?.message ?? "it is full of files being written");
        }
        fault ??= left.fault;
      }
      return { hasRoom: false, fault };
    } finally {
      endTurn();
    }
  }

  /**
   * Prunes, unless another process is at it.
   *
   * @param room Bytes that are to be written next.
   * @returns What was done, or `undefined` where another process is at it.
   * @throws {CacheError} `IO` when the account cannot be written.
   */
  *pruneAlone(room = 0): Operation<Pruned | undefined> {
    let lock: Lock | undefined;
    try {
      lock = yield* this.#directory.tryLock("prune");
      if (!lock && this.#directory.hasLocks) return undefined;
    } catch (error) {
      // The lock saves work: two prunes at once do no harm.
      if (!(error instanceof CacheError)) throw error;
    }
    try {
      return yield* this.prune({ room });
    } finally {
      lock?.release();
    }
  }

  /**
   * Prunes now.
   *
   * @returns What was done, or would be, and the first fault that left something where it was.
   * @throws {CacheError} `IO` when the account cannot be written.
   */
  *prune({ room = 0, isDryRun = false }: Partial<PrunePlan> = {}): Operation<Pruned> {
    const nowMs = this.#platform.now();
    const prune = new Prune(this.#files, this.#directory, { ...this.#limits, nowMs, room, isDryRun });
    const result = yield* prune.run();
    if (!isDryRun) {
      yield* this.#account.set({ prunedMs: nowMs, bytes: result.bytes });
      this.#prunedMs = nowMs;
    }
    return { ...result, fault: prune.fault };
  }

  /** Writes of this cache make room one after another: all at once, they would ask for more than there can be. */
  #turn(): Effect<() => void> {
    return {
      name: "turn",
      sync: () => () => {},
      async: async () => {
        const before = this.#lastTurn;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#lastTurn = promise;
        await before;
        return resolve;
      },
    };
  }

  #noRoom(why: string): CacheError {
    const path = this.#directory.root;
    return new CacheError("LIMIT", `Cannot keep entry in ${path}: ${why}`, { path });
  }
}
