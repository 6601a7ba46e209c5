// Keeps the directory within its limits. A cache counts what it writes, and prunes before that is more than its share of
// the limit, or when the directory was not pruned for long. Processes share nothing but the time of the last prune.

import type { Directory } from "./directory.ts";
import { type Effect, immediate, type Operation, perform } from "../effect.ts";
import { CacheError, ioFault, isGone, isMissing } from "../errors.ts";
import type { Locks } from "./locks.ts";
import type { Files, Lock, Platform } from "../platform/platform.ts";
import { HOUR_MS, Prune, type PrunePlan, type PruneResult } from "./prune.ts";

/** What the limits are made of. */
export interface LimitsParts {
  /** What the runtime offers. */
  readonly platform: Platform;
  /** Its files. */
  readonly files: Files;
  /** What is kept within limits. */
  readonly directory: Directory;
  /** Its locks. */
  readonly locks: Locks;
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

/** What came of writing within the limits. */
export interface Written {
  /** `false` where there is no room before another process has made some, which it is just doing: nothing was written then. */
  readonly isWritten: boolean;
  /** The first fault that left something where it was. */
  readonly fault?: CacheError;
}

/** What a cache may add before it prunes, of the limit: a quarter of what a prune leaves free. */
const SHARE = 1 / 20;

/** After so long a write waits for a prune: programs that end at once never come to one behind their lookups. */
const DAY_MS = 24 * HOUR_MS;

/** The file whose time is that of the last prune. */
const STAMP = /^pruned$/;

/** The limits of a directory, kept. */
export class Limits {
  readonly #parts: LimitsParts;
  /** When the directory was last pruned, as far as this cache knows; it looks when it first writes. */
  #prunedMs: number | undefined;
  /** Bytes that this cache wrote. */
  #writtenBytes = 0;
  /** Bytes that it is writing. */
  #underWayBytes = 0;
  /** Of those written: what its last prune has seen. */
  #prunedBytes = 0;
  /** Length of the last entry. */
  #lastBytes = 0;
  #lastTurn: Promise<void> | undefined;

  /** Touches nothing yet. */
  constructor(parts: LimitsParts) {
    this.#parts = parts;
  }

  /** Bytes of all entries, and of the largest. */
  get maxBytes(): number {
    return this.#parts.maxBytes;
  }

  /** Tells whether to prune now, behind the caller: the last was long ago, or the next write might have to wait for one. */
  get isDue(): boolean {
    return this.#prunedMs !== undefined && !(this.#isSince(HOUR_MS) && this.#fits(this.#lastBytes));
  }

  /**
   * Has bytes written: at once where they are within this cache's share, and else after a prune that makes room for them.
   *
   * @param write Makes a new file of that many bytes.
   * @throws {CacheError} `LIMIT` where there can be no room, `IO` where that cannot be known; what the write throws.
   */
  *writeWithin(bytes: number, write: () => Operation<void>): Operation<Written> {
    if (bytes > this.maxBytes) throw this.#noRoom(`its ${bytes} bytes are more than maxDiskBytes, ${this.maxBytes}`);
    this.#prunedMs ??= yield* this.#readStamp();
    const endTurn = this.#mayAdd(bytes) ? undefined : yield* perform(this.#turn());
    // A prune may have been in between.
    const mayAdd = this.#mayAdd(bytes);
    this.#underWayBytes += bytes;
    try {
      const room = mayAdd ? { isWritten: true } : yield* this.#makeRoom();
      if (!room.isWritten) return room;
      yield* write();
      this.#writtenBytes += bytes;
      this.#lastBytes = bytes;
      return room;
    } finally {
      this.#underWayBytes -= bytes;
      endTurn?.();
    }
  }

  /** Makes room for what is under way. */
  *#makeRoom(): Operation<Written> {
    const pruned = yield* this.#pruneAlone(this.#underWayBytes);
    if (!pruned) return { isWritten: this.#fits() };
    if (pruned.bytes + this.#unseenBytes > this.maxBytes) {
      throw this.#noRoom(pruned.fault?.message ?? "it is full of files being written");
    }
    return { isWritten: true, fault: pruned.fault };
  }

  /**
   * Prunes where that is due, unless another process is at it.
   *
   * @returns What was done, if anything.
   * @throws {CacheError} `IO` when it cannot be known what is there.
   */
  *pruneIfDue(): Operation<Pruned | undefined> {
    const endTurn = yield* perform(this.#turn());
    try {
      return this.isDue ? yield* this.#pruneAlone() : undefined;
    } finally {
      endTurn();
    }
  }

  /** Prunes, unless another process is at it, or was when only the time made it due. */
  *#pruneAlone(room = 0): Operation<Pruned | undefined> {
    const { locks } = this.#parts;
    const lock = yield* this.#tryLock();
    if (!lock && locks.areThere) return undefined;
    try {
      if (this.#fits(this.#lastBytes)) {
        this.#prunedMs = yield* this.#readStamp();
        if (this.#isSince(HOUR_MS)) return undefined;
      }
      return yield* this.prune({ room });
    } finally {
      lock?.release();
    }
  }

  /**
   * Prunes now.
   *
   * @returns What was done, or would be, and the first fault that left something where it was.
   * @throws {CacheError} `IO` when it cannot be known what is there.
   */
  *prune({ room = 0, isDryRun = false }: Partial<PrunePlan> = {}): Operation<Pruned> {
    const { platform, files, directory, maxBytes, maxAgeMs } = this.#parts;
    const nowMs = platform.now();
    const writtenBytes = this.#writtenBytes;
    const prune = new Prune(files, directory, { maxBytes, maxAgeMs, nowMs, room, isDryRun });
    const result = yield* prune.run();
    if (isDryRun) return { ...result, fault: prune.fault };
    this.#prunedMs = nowMs;
    this.#prunedBytes = Math.max(this.#prunedBytes, writtenBytes);
    const fault = yield* this.#stamp();
    return { ...result, fault: prune.fault ?? fault };
  }

  /** Bytes that no prune of this cache has seen. */
  get #unseenBytes(): number {
    return this.#writtenBytes + this.#underWayBytes - this.#prunedBytes;
  }

  /** Whether so many bytes may be written before the next prune. */
  #mayAdd(bytes: number): boolean {
    return this.#fits(bytes) && this.#isSince(DAY_MS);
  }

  #fits(moreBytes = 0): boolean {
    return this.#unseenBytes + moreBytes <= SHARE * this.maxBytes;
  }

  /** A time to come is of a wrong clock, and as good as none. */
  #isSince(ageMs: number): boolean {
    return Math.abs(this.#parts.platform.now() - this.#prunedMs!) <= ageMs;
  }

  /** When the directory was last pruned; long ago where there is no file that says so. */
  *#readStamp(): Operation<number> {
    const { directory, files } = this.#parts;
    // Never through a link. Not waited for, which would take Deno 300 µs for what takes 20.
    const { sync } = files.listFiles(directory.root, STAMP);
    try {
      const [stamp] = yield* perform(immediate("list", sync));
      return stamp?.modifiedMs ?? -Infinity;
    } catch (error) {
      if (isMissing(error)) return -Infinity;
      throw ioFault("list", directory.root, error);
    }
  }

  /** Says that the directory was pruned just now; gives the fault where it cannot. */
  *#stamp(): Operation<CacheError | undefined> {
    const { directory } = this.#parts;
    const path = `${directory.root}/pruned`;
    try {
      yield* directory.replace(path, []);
    } catch (error) {
      const fault = ioFault("write", path, error);
      // A directory that was removed stays away.
      return isGone(fault) ? undefined : fault;
    }
  }

  /** The lock saves work: without it, two prunes at once do no harm. */
  *#tryLock(): Operation<Lock | undefined> {
    try {
      return yield* this.#parts.locks.tryLock("prune");
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      return { release() {} };
    }
  }

  /** What prunes does so one after another: all at once they would ask for more room than there can be. A synchronous run does not wait. */
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
    const path = this.#parts.directory.root;
    return new CacheError("LIMIT", `Cannot keep entry in ${path}: ${why}`, { path });
  }
}
