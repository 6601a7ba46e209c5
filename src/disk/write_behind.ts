// Writes in the background, by key. A lookup of the same key in this process waits for its write.

import { type Effect, type Operation, runAsync, runSync } from "../effect.ts";
import { setTimer } from "../platform/globals.ts";

/** Most bytes that may wait to be written; beyond that, nothing is scheduled. */
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

/** How often a flush looks again for writes scheduled while it waited. */
const MAX_ROUNDS = 10;

interface Pending {
  readonly bytes: number;
  readonly write: () => Operation<void>;
  /** An earlier write of the same key, already begun. */
  readonly before?: Promise<void>;
  /** Set once the write runs in the background. */
  running?: Promise<void>;
}

/** Pending writes of a cache. They run one after another: a burst must not take every descriptor. */
export class WriteBehind {
  readonly #pending = new Map<string, Pending>();
  #pendingBytes = 0;
  /** Writes under way in the background. Some are no longer pending: a synchronous run has done them meanwhile. */
  readonly #running = new Map<Promise<void>, string>();
  /** The one task that does the writes in the background. */
  #drain: symbol | undefined;
  /** Errors of writes that nobody waited for, until {@linkcode flush} throws the first. */
  readonly #errors = new Set<unknown>();

  /**
   * Schedules a write. It replaces one of the same key that has not begun, and follows one that has. Drops it if too
   * much is waiting.
   *
   * @param bytes Memory that the write holds until it is done.
   * @param write Makes the operation, which may run twice.
   */
  schedule(key: string, bytes: number, write: () => Operation<void>): void {
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > MAX_PENDING_BYTES) return;
    const replaced = this.#pending.get(key);
    this.#pending.set(key, { bytes, write, before: replaced?.running ?? replaced?.before });
    this.#pendingBytes += bytes - (replaced?.bytes ?? 0);
    if (!this.#drain) this.#drainAll();
  }

  /** Whether a write of a key is pending. */
  has(key: string): boolean {
    return this.#pending.has(key);
  }

  /** Does a pending write now. A synchronous run does it itself, even if it is under way in the background. */
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
   * Waits for the writes that are pending or under way now. {@linkcode flush} throws their errors.
   *
   * @param only Waits only for this key.
   */
  async settleAll(only?: string): Promise<void> {
    const isWanted = (key: string) => only === undefined || only === key;
    for (const [key, pending] of [...this.#pending]) {
      if (isWanted(key) && this.#pending.get(key) === pending) await this.#runNoted(key, pending);
    }
    await Promise.allSettled([...this.#running].filter(([, key]) => isWanted(key)).map(([running]) => running));
    // If the drain's timer is a fake that never fires, the next write starts another.
    if (this.#pending.size === 0) this.#drain = undefined;
  }

  /**
   * Waits until nothing is left, including what writes schedule themselves; but not for ever if others keep scheduling.
   * Rejects with the first error of writes that nobody waited for.
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
    // Runs in a task of its own, after the caller's code. Keeps the process alive until the writes are done.
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
