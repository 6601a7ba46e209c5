// Writes that their callers do not wait for, by key. A lookup of the same key in this process sees them done.

import { type Effect, type Operation, runAsync, runSync } from "./effect.ts";
import { setTimer } from "./platform/globals.ts";

/** Bytes that may wait to be written; what comes on top is not written. */
const MAX_PENDING_BYTES = 256 * 1024 * 1024;

interface Pending {
  readonly bytes: number;
  readonly write: () => Operation<void>;
  /** Set once the write runs in the background. */
  running?: Promise<void>;
}

/** Pending writes of a cache. In the background they come one after another: a burst must not take every descriptor. */
export class WriteBehind {
  readonly #pending = new Map<string, Pending>();
  #isDraining = false;
  /** Errors of writes that nobody waited for, until {@linkcode flush} tells of them. */
  readonly #errors = new Set<unknown>();

  /**
   * Has a write done soon, in the place of one of the same key that has not begun; not at all where too much waits.
   *
   * @param bytes Memory that the write holds until it is done.
   * @param write Makes the operation; it must be fit to be done twice.
   */
  schedule(key: string, bytes: number, write: () => Operation<void>): void {
    let waiting = 0;
    for (const pending of this.#pending.values()) waiting += pending.bytes;
    if (waiting > 0 && waiting + bytes > MAX_PENDING_BYTES) return;
    this.#pending.set(key, { bytes, write });
    if (!this.#isDraining) this.#drain();
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
        const pending = this.#pending.get(key);
        this.#pending.delete(key);
        if (pending) runSync(pending.write());
      },
      async: () => {
        const pending = this.#pending.get(key);
        return pending && this.#run(key, pending);
      },
    };
  }

  /**
   * Waits until the writes that are pending now are done; {@linkcode flush} tells of those that fail.
   *
   * @param only The one key to wait for.
   */
  async settleAll(only?: string): Promise<void> {
    for (const [key, pending] of [...this.#pending]) {
      const isWanted = this.#pending.get(key) === pending && (only === undefined || only === key);
      if (isWanted) await this.#runNoted(key, pending);
    }
    // Where the timer of a drain is a fake that never comes, what is scheduled next sets another.
    if (this.#pending.size === 0) this.#isDraining = false;
  }

  /** {@linkcode settleAll}; rejects with the first error of writes that nobody waited for. */
  async flush(): Promise<void> {
    await this.settleAll();
    const [first] = this.#errors;
    this.#errors.clear();
    if (first) throw first;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    // A task of its own: the caller's code runs first. It keeps the process alive until the writes are done.
    await new Promise<void>((resolve) => setTimer(resolve, 0));
    for (let next; (next = this.#pending.entries().next().value) !== undefined;) await this.#runNoted(...next);
    this.#isDraining = false;
  }

  async #runNoted(key: string, pending: Pending): Promise<void> {
    try {
      await this.#run(key, pending);
    } catch (error) {
      this.#errors.add(error);
    }
  }

  #run(key: string, pending: Pending): Promise<void> {
    return pending.running ??= runAsync(pending.write()).finally(() => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
  }
}
