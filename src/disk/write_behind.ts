// Writes that their callers do not wait for, by key. A lookup of the same key in this process sees them done.

import { type Effect, type Operation, runAsync, runSync } from "../effect.ts";
import { setTimer } from "../platform/globals.ts";

/** Bytes that may wait to be written; what comes on top is not written. */
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

/** How often a flush looks again at what was scheduled while it waited. */
const MAX_ROUNDS = 10;

interface Pending {
  readonly bytes: number;
  readonly write: () => Operation<void>;
  /** A write of the same key that had begun before. */
  readonly before?: Promise<void>;
  /** Set once the write runs in the background. */
  running?: Promise<void>;
}

/** Pending writes of a cache. In the background they come one after another: a burst must not take every descriptor. */
export class WriteBehind {
  readonly #pending = new Map<string, Pending>();
  #pendingBytes = 0;
  /** What is under way in the background; some of it is not pending any more, for a synchronous run was faster. */
  readonly #running = new Map<Promise<void>, string>();
  /** What is doing the writes in the background: one thing at a time. */
  #drain: symbol | undefined;
  /** Errors of writes that nobody waited for, until {@linkcode flush} tells of them. */
  readonly #errors = new Set<unknown>();

  /**
   * Has a write done soon, in the place of one of the same key that has not begun, and after one that has; not at all
   * where too much waits.
   *
   * @param bytes Memory that the write holds until it is done.
   * @param write Makes the operation; it must be fit to be done twice.
   */
  schedule(key: string, bytes: number, write: () => Operation<void>): void {
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > MAX_PENDING_BYTES) return;
    const replaced = this.#pending.get(key);
    this.#pending.set(key, { bytes, write, before: replaced?.running ?? replaced?.before });
    this.#pendingBytes += bytes - (replaced?.bytes ?? 0);
    if (!this.#drain) this.#drainAll();
  }

  /** Tells whether a write of a key is pending. */
  has(key: string): boolean {
    return this.#pending.has(key);
  }

  /** Has a pending write done now. A synchronous run does it itself, even if it is under way in the background. */
  settle(key: string): Effect<void> {
    return {
      name: "settle",
      sync: () => {
        const pending = this.#forget(key);
        if (pending) runSync(pending.write());
      },
      async: () => {
        const pending = this.#pending.get(key);
        return pending && this.#run(key, pending);
      },
    };
  }

  /**
   * Waits until the writes that are pending or under way now are done; {@linkcode flush} tells of those that fail.
   *
   * @param only The one key to wait for.
   */
  async settleAll(only?: string): Promise<void> {
    const isWanted = (key: string) => only === undefined || only === key;
    for (const [key, pending] of [...this.#pending]) {
      if (isWanted(key) && this.#pending.get(key) === pending) await this.#runNoted(key, pending);
    }
    await Promise.allSettled([...this.#running].filter(([, key]) => isWanted(key)).map(([running]) => running));
    // Where the timer of a drain is a fake that never comes, what is scheduled next begins another.
    if (this.#pending.size === 0) this.#drain = undefined;
  }

  /**
   * Waits until nothing is left to be done, so also for what writes schedule themselves; but not for ever where others go
   * on to schedule more. Rejects with the first error of writes that nobody waited for.
   */
  async flush(): Promise<void> {
    let roundsLeft = MAX_ROUNDS;
    do await this.settleAll(); while (this.#pending.size > 0 && --roundsLeft > 0);
    const [first] = this.#errors;
    this.#errors.clear();
    if (first) throw first;
  }

  async #drainAll(): Promise<void> {
    const drain = this.#drain = Symbol();
    // A task of its own: the caller's code runs first. It keeps the process alive until the writes are done.
    await new Promise<void>((resolve) => setTimer(resolve, 0));
    while (this.#drain === drain) {
      const { value: next } = this.#pending.entries().next();
      if (next) await this.#runNoted(...next);
      else this.#drain = undefined;
    }
  }

  #forget(key: string): Pending | undefined {
    const pending = this.#pending.get(key);
    this.#pending.delete(key);
    this.#pendingBytes -= pending?.bytes ?? 0;
    return pending;
  }

  async #runNoted(key: string, pending: Pending): Promise<void> {
    try {
      await this.#run(key, pending);
    } catch (error) {
      this.#errors.add(error);
    }
  }

  #run(key: string, pending: Pending): Promise<void> {
    if (pending.running) return pending.running;
    const running = this.#runAfter(pending).finally(() => {
      this.#running.delete(running);
      if (this.#pending.get(key) === pending) this.#forget(key);
    });
    this.#running.set(running, key);
    return pending.running = running;
  }

  async #runAfter({ before, write }: Pending): Promise<void> {
    if (before) await before.catch(() => {});
    await runAsync(write());
  }
}
