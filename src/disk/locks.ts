// The locks of a directory: advisory, shared within a cache, waited for no longer than allowed.

import type { Directory } from "./directory.ts";
import { type Operation, perform } from "../effect.ts";
import { CacheError, ioFault } from "../errors.ts";
import type { Files, Lock, Platform } from "../platform/platform.ts";

interface HeldLock {
  readonly lock: Lock;
  users: number;
}

/** Longest wait between two tries for a lock: how late a waiter may notice that the holder is gone. */
const MAX_LOCK_POLL_MS = 20;

/** Most locks that a cache holds at a time: more compiles at once help nobody, and each lock takes a descriptor. */
const MAX_LOCKS = 32;

const NOTHING: Lock = { release() {} };

/** The locks of a directory, as one cache takes them. */
export class Locks {
  readonly #platform: Platform;
  readonly #files: Files;
  readonly #directory: Directory;
  readonly #timeoutMs: number;
  readonly #tryLock: Files["tryLock"];
  readonly #held = new Map<string, HeldLock>();
  #beingTaken = 0;

  /**
   * Touches nothing yet.
   *
   * @param timeoutMs How long to wait for a lock, ms.
   */
  constructor(platform: Platform, files: Files, directory: Directory, timeoutMs: number) {
    this.#platform = platform;
    this.#files = files;
    this.#directory = directory;
    this.#timeoutMs = timeoutMs;
    this.#tryLock = (files.tryLock ?? files.tryLockAsync)?.bind(files);
  }

  /**
   * Takes the lock of a key's stripe, and waits for it no longer than allowed. If this cache already holds it, for
   * other code of the stripe, it is shared: lookups of the same code wait for each other without it.
   *
   * @param stripe Which of the 256 locks, two hexadecimal digits.
   * @param onWaited Called if it had to be waited for, with the time, ms.
   * @returns `undefined` if this platform has no locks, if the lock is held and this run must not wait, or if this
   * cache held the most locks allowed all the time.
   * @throws {CacheError} `LOCK_TIMEOUT` or `IO`.
   */
  *lock(stripe: string, onWaited: (ms: number) => void = () => {}): Operation<Lock | undefined> {
    const { clock } = this.#platform;
    const startMs = clock();
    const waiting = { ms: 0 };
    try {
      return yield* this.#lockBy(stripe, startMs + this.#timeoutMs, waiting);
    } finally {
      if (waiting.ms > 0) onWaited(clock() - startMs);
    }
  }

  /** @param waiting How long it paused so far. */
  *#lockBy(stripe: string, deadline: number, waiting: { ms: number }): Operation<Lock | undefined> {
    const timeoutMs = this.#timeoutMs;
    const { clock, pause } = this.#platform;
    let isLate = false;
    for (let delayMs = 1; this.#tryLock; delayMs = Math.min(delayMs * 2, MAX_LOCK_POLL_MS)) {
      const mayTake = this.#held.size + this.#beingTaken < MAX_LOCKS;
      const lock = mayTake ? yield* this.#take(stripe, true) : this.#share(stripe);
      if (lock) return lock;
      if (isLate && !mayTake) return undefined;
      if (isLate) {
        const path = this.#lockPath(stripe);
        throw new CacheError("LOCK_TIMEOUT", `Cannot lock ${path}: held elsewhere for ${timeoutMs} ms`, { path });
      }
      if (!(yield* perform(pause(delayMs)))) return undefined;
      waiting.ms += delayMs;
      // The fake clock of a test runner may stand still.
      isLate = waiting.ms >= timeoutMs || clock() >= deadline;
    }
  }

  /**
   * Takes a lock that only saves work, or shares it if this cache already holds it. Does not create the directory.
   *
   * @returns `undefined` if it is held elsewhere; a lock of nothing if it cannot be taken.
   */
  *tryLock(name: string): Operation<Lock | undefined> {
    if (!this.#files.tryLock) return NOTHING;
    try {
      return yield* this.#take(name, false);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      return NOTHING;
    }
  }

  *#take(name: string, makesDirectory: boolean): Operation<Lock | undefined> {
    const shared = this.#share(name);
    if (shared) return shared;
    const taking = () => this.#tryLock!(this.#lockPath(name));
    this.#beingTaken++;
    try {
      const lock = yield* (makesDirectory ? this.#directory.within(taking) : perform(taking()));
      if (!lock) return undefined;
      this.#held.set(name, { lock, users: 0 });
      return this.#share(name);
    } catch (error) {
      throw ioFault("lock", this.#lockPath(name), error);
    } finally {
      this.#beingTaken--;
    }
  }

  /** Shares a lock that this cache already holds; the last user releases it. */
  #share(stripe: string): Lock | undefined {
    const held = this.#held.get(stripe);
    if (!held) return undefined;
    held.users++;
    const release = () => {
      if (--held.users > 0) return;
      this.#held.delete(stripe);
      try {
        held.lock.release();
      } catch {
        // Whatever the error, the descriptor is gone, and the lock with it.
      }
    };
    return { release };
  }

  #lockPath(stripe: string): string {
    return `${this.#directory.root}/locks/${stripe}`;
  }
}
