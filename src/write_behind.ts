// Writes that their callers do not wait for, by key. A lookup of the same key in this process sees them done.

import { type Effect, type Operation, runAsync, runSync } from "./effect.ts";

interface Pending {
  readonly write: () => Operation<void>;
  /** Set once the write runs in the background. */
  running?: Promise<void>;
}

/** Pending writes of a cache. In the background they come one after another: a burst must not take every descriptor. */
export class WriteBehind {
  readonly #pending = new Map<string, Pending>();
  #draining: Promise<void> | undefined;
  /** Errors of writes that nobody waited for, until {@linkcode flush} tells of them. */
  #errors: unknown[] = [];

  /**
   * Has a write done soon, in the place of one of the same key that has not begun.
   *
   * @param write Makes the operation; it must be fit to be done twice.
   */
  schedule(key: string, write: () => Operation<void>): void {
    this.#pending.set(key, { write });
    this.#draining ??= this.#drain();
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

  /** Waits until no write is pending; rejects with the first error of those that nobody waited for. */
  async flush(): Promise<void> {
    await this.#draining;
    const [first] = this.#errors.splice(0);
    if (first) throw first;
  }

  async #drain(): Promise<void> {
    // A task of its own: the caller's code runs first. It keeps the process alive until the writes are done.
    await new Promise((resolve) => setTimeout(resolve, 0));
    for (let next; (next = this.#pending.entries().next().value) !== undefined;) {
      await this.#run(...next).catch((error) => this.#errors.push(error));
    }
    this.#draining = undefined;
  }

  #run(key: string, pending: Pending): Promise<void> {
    return pending.running ??= runAsync(pending.write()).finally(() => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
  }
}
