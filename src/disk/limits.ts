// Keeps the directory within its limits: makes room before something is written, and prunes from time to time.

import { Account, type Balance, isSince } from "./account.ts";
import type { Directory } from "./directory.ts";
import { type Effect, type Operation, perform } from "../effect.ts";
import { CacheError, isGone } from "../errors.ts";
import type { Locks } from "./locks.ts";
import type { Files, Lock, Platform } from "../platform/platform.ts";
import { HOUR_MS, Prune, type PrunePlan, type PruneResult } from "./prune.ts";

/** Limits of a directory. */
export interface DiskLimits {
  /** Bytes of all entries. */
  readonly maxBytes: number;
  /** Time since an entry was last used, ms. */
  readonly maxAgeMs: number;
}

/** What the housekeeping works with. */
export interface HousekeepingParts {
  /** What the runtime offers. */
  readonly platform: Platform;
  /** Its files. */
  readonly files: Files;
  /** What is kept within limits. */
  readonly directory: Directory;
  /** Its locks. */
  readonly locks: Locks;
  /** The limits. */
  readonly limits: DiskLimits;
}

/** What a prune did, and the first fault that left something where it was. */
export interface Pruned extends PruneResult {
  /** The fault. */
  readonly fault?: CacheError;
}

/** What came of writing within the limits. */
export interface Written {
  /** `false` where another process takes the room that there is, or is just making some: nothing was written then. */
  readonly isWritten: boolean;
  /** The first fault that left something where it was. */
  readonly fault?: CacheError;
}

/** The limits of a directory, kept. */
export class Housekeeping {
  readonly #platform: Platform;
  readonly #files: Files;
  readonly #directory: Directory;
  readonly #locks: Locks;
  readonly #limits: DiskLimits;
  readonly #account: Account;
  /** The account as the last write of this cache saw it. */
  #seen: Balance | undefined;
  #isPruning = false;
  #lastTurn: Promise<void> | undefined;

  /** Touches nothing yet. */
  constructor({ platform, files, directory, locks, limits }: HousekeepingParts) {
    this.#platform = platform;
    this.#files = files;
    this.#directory = directory;
    this.#locks = locks;
    this.#limits = limits;
    this.#account = new Account(files, directory);
  }

  /** Tells whether the last prune, as the last write of this cache saw it, is long ago. */
  get isDue(): boolean {
    return this.#seen !== undefined && Math.abs(this.#platform.now() - this.#seen.prunedMs) > HOUR_MS;
  }

  /**
   * Has bytes written, once they are accounted for and there is room for them. The writes of a cache come one after
   * another: a prune would not see a file that is still to be made, and all at once they would ask for more room than
   * there can be.
   *
   * @param write Makes a new file of that many bytes.
   * @throws {CacheError} `LIMIT` where there can be no room, `IO` where that cannot be known; what the write throws.
   */
  *writeWithin(bytes: number, write: () => Operation<void>): Operation<Written> {
    const { maxBytes } = this.#limits;
    if (bytes > maxBytes) throw this.#noRoom(`its ${bytes} bytes are more than maxDiskBytes, ${maxBytes}`);
    const endTurn = yield* perform(this.#turn());
    try {
      const room = yield* this.#reserve(bytes);
      if (room.isWritten) yield* write();
      return room;
    } finally {
      endTurn();
    }
  }

  /** Accounts for bytes that are to be written; where they are too much, makes room. */
  *#reserve(bytes: number): Operation<Written> {
    const { maxBytes } = this.#limits;
    let fault: CacheError | undefined;
    for (let attempt = 0; attempt < 5; attempt++) {
      const balance = this.#seen = yield* this.#account.add(bytes);
      if (balance && balance.bytes <= maxBytes) return { isWritten: true, fault };
      const pruned = yield* this.pruneAlone(bytes);
      // Where nothing is known yet, the directory is new: what is written now, the next prune counts.
      if (pruned === "busy") return { isWritten: balance === undefined, fault };
      if (pruned === "late") continue;
      if (pruned.bytes + bytes > maxBytes) {
        throw this.#noRoom(pruned.fault?.message ?? "it is full of files being written");
      }
      fault ??= pruned.fault;
    }
    return { isWritten: false, fault };
  }

  /**
   * Prunes, unless somebody else is at it, or has been since this cache saw the account.
   *
   * @param room Bytes that are to be written next.
   * @returns What was done; `"busy"` where somebody else is at it, `"late"` where somebody else was faster.
   * @throws {CacheError} `IO` when it cannot be known what is there, or the account cannot be written.
   */
  *pruneAlone(room = 0): Operation<Pruned | "busy" | "late"> {
    if (this.#isPruning) return "busy";
    const seen = this.#seen;
    const lock = yield* this.#tryLock();
    if (!lock && this.#locks.areThere) return "busy";
    this.#isPruning = true;
    try {
      if (!isSince(yield* this.#account.read(), seen)) return "late";
      return yield* this.prune({ room });
    } finally {
      this.#isPruning = false;
      lock?.release();
    }
  }

  /**
   * Prunes now.
   *
   * @returns What was done, or would be, and the first fault that left something where it was.
   * @throws {CacheError} `IO` when it cannot be known what is there, or the account cannot be written.
   */
  *prune({ room = 0, isDryRun = false }: Partial<PrunePlan> = {}): Operation<Pruned> {
    const nowMs = this.#platform.now();
    const before = isDryRun ? undefined : yield* this.#account.read();
    const prune = new Prune(this.#files, this.#directory, { ...this.#limits, nowMs, room, isDryRun });
    const result = yield* prune.run();
    if (!isDryRun) yield* this.#settle(nowMs, result.bytes, before);
    return { ...result, fault: prune.fault };
  }

  /** Makes the account anew, with what others have added since the prune began: it may have seen that, or not. */
  *#settle(prunedMs: number, counted: number, before: Balance | undefined): Operation<void> {
    const after = yield* this.#account.read();
    // Somebody else was faster, where there are no locks: what they counted is newer.
    if (!isSince(after, before)) return;
    const added = after && before ? after.bytes - before.bytes : 0;
    const prunedBytes = counted + added;
    try {
      yield* this.#account.set({ prunedMs, prunedBytes });
    } catch (error) {
      // There is nothing to account for.
      if (error instanceof CacheError && isGone(error)) return;
      throw error;
    }
    this.#seen = { prunedMs, prunedBytes, bytes: prunedBytes };
  }

  /** The lock saves work: without it, two prunes at once do no harm. */
  *#tryLock(): Operation<Lock | undefined> {
    try {
      return yield* this.#locks.tryLock("prune");
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      return { release() {} };
    }
  }

  /** A synchronous write does not wait for its turn. */
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
