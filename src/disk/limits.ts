// Keeps the directory within its limits. A cache counts what it writes, and prunes before that is more than its share of
// the limit, or when the directory was not pruned for long. Processes share nothing but the time of the last prune.

import type { Directory } from "./directory.ts";
import { type Effect, immediate, type Operation, perform } from "../effect.ts";
import { CacheError, ioFault, isGone, isMissing } from "../errors.ts";
import type { Locks } from "./locks.ts";
import type { Files, Platform } from "../platform/platform.ts";
import { HOUR_MS, Prune, type PrunePlan, type PruneResult } from "./prune.ts";

/** Parts of the limits. */
export interface LimitsParts {
  /** What the runtime offers. */
  readonly platform: Platform;
  /** Its files. */
  readonly files: Files;
  /** The directory that is kept within the limits. */
  readonly directory: Directory;
  /** Its locks. */
  readonly locks: Locks;
  /** Most bytes of all entries. */
  readonly maxBytes: number;
  /** How long an entry may go unused, ms. */
  readonly maxAgeMs: number;
}

/** Result of a prune, and the first fault that left something in place. */
export interface Pruned extends PruneResult {
  /** The fault. */
  readonly fault?: CacheError;
}

/** Result of a write within the limits. */
export interface Written {
  /**
   * `false` if there is no room until another process, which is pruning now, has made some. Nothing was written then.
   */
  readonly isWritten: boolean;
  /** The first fault that left something in place. */
  readonly fault?: CacheError;
}

/** Share of the limit that a cache may add before it prunes: a quarter of what a prune leaves free. */
const SHARE = 1 / 20;

/** After this long a write waits for a prune: programs that end at once never get to one in the background. */
const DAY_MS = 24 * HOUR_MS;

/** The file whose time is the time of the last prune. */
const STAMP = /^pruned$/;

/** Keeps a directory within its limits. */
export class Limits {
  readonly #parts: LimitsParts;
  /** When the directory was last pruned, as far as this cache knows; read at its first write. */
  #prunedMs: number | undefined;
  /** Bytes that this cache has written. */
  #writtenBytes = 0;
  /** Bytes that it is writing. */
  #underWayBytes = 0;
  /** Bytes written that its last prune has seen. */
  #prunedBytes = 0;
  /** Length of the last entry. */
  #lastBytes = 0;
  #lastTurn: Promise<void> | undefined;

  /** Touches nothing yet. */
  constructor(parts: LimitsParts) {
    this.#parts = parts;
  }

  /** Most bytes of all entries, and of one. */
  get maxBytes(): number {
    return this.#parts.maxBytes;
  }

  /**
   * Whether to prune now, in the background: the last prune was long ago, or the next write might have to wait for one.
   */
  get isDue(): boolean {
    return this.#prunedMs !== undefined && !(this.#isSince(HOUR_MS) && this.#fits(this.#lastBytes));
  }

  /**
   * Runs a write: at once if it is within this cache's share, otherwise after a prune that makes room for it.
   *
   * @param write Creates a new file of that many bytes.
   * @throws {CacheError} `LIMIT` when there is no room, `IO` when that cannot be determined; and the write's own error.
   */
  *writeWithin(bytes: number, write: () => Operation<void>): Operation<Written> {
    if (bytes > this.maxBytes) throw this.#noRoom(`its ${bytes} bytes are more than maxDiskBytes, ${this.maxBytes}`);
    this.#prunedMs ??= yield* this.#readStamp();
    const endTurn = this.#mayAdd(bytes) ? undefined : yield* perform(this.#turn());
    // Another write may have pruned meanwhile.
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

  /** Makes room for the writes under way. */
  *#makeRoom(): Operation<Written> {
    const pruned = yield* this.#pruneFor(this.#underWayBytes);
    if (!pruned) return { isWritten: this.#fits() };
    if (pruned.bytes + this.#unseenBytes > this.maxBytes) {
      throw this.#noRoom(pruned.fault?.message ?? "it is full of files being written");
    }
    return { isWritten: true, fault: pruned.fault };
  }

  /**
   * Prunes behind a caller, unless another process is pruning, or has pruned since when only the time made it due.
   *
   * @returns What was done, if anything.
   * @throws {CacheError} `IO` when it cannot be known what is there.
   */
  *pruneAlone(): Operation<Pruned | undefined> {
    const endTurn = yield* perform(this.#turn());
    try {
      return yield* this.#pruneFor(0);
    } finally {
      endTurn();
    }
  }

  /** @param room Bytes that are to be written next. */
  *#pruneFor(room: number): Operation<Pruned | undefined> {
    const lock = yield* this.#parts.locks.tryLock("prune");
    if (!lock) return undefined;
    try {
      // Only the time made it due, and others may have been faster.
      if (this.#fits(this.#lastBytes)) {
        this.#prunedMs = yield* this.#readStamp();
        if (this.#isSince(HOUR_MS)) return undefined;
      }
      return yield* this.prune({ room });
    } finally {
      lock.release();
    }
  }

  /**
   * Prunes now.
   *
   * @returns What was done, or would be, and the first fault that left something in place.
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

  /** A time in the future comes from a wrong clock and counts as long ago. */
  #isSince(ageMs: number): boolean {
    return Math.abs(this.#parts.platform.now() - this.#prunedMs!) <= ageMs;
  }

  /** When the directory was last pruned; `-Infinity` if there is no file that says so. */
  *#readStamp(): Operation<number> {
    const { directory, files } = this.#parts;
    // Never through a link. Synchronous: waiting would take Deno 300 µs instead of 20.
    const { sync } = files.listFiles(directory.root, STAMP);
    try {
      const [stamp] = yield* perform(immediate("list", sync));
      return stamp?.modifiedMs ?? -Infinity;
    } catch (error) {
      if (isMissing(error)) return -Infinity;
      throw ioFault("list", directory.root, error);
    }
  }

  /** Records that the directory has just been pruned. Returns the fault if it cannot. */
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

  /** Prunes take turns: at once they would ask for more room than there can be. A synchronous run does not wait. */
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
