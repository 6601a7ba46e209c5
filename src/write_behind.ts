// Writes that their callers do not wait for, by key. A lookup of the same key in this process sees them done.

import { type Effect, type Operation, runAsync, runSync } from "./effect.ts";

interface Pending {
  readonly write: () => Operation<void>;
  /** Set once the write runs in the background. */
  running?: Promise<void>;
}

/** Pending writes of a cache. */
export class WriteBehind {
  readonly #pending = new Map<string, Pending>();
  /** Errors of writes that nobody waited for, until {@linkcode flush} tells of them. */
  #errors: unknown[] = [];

  /**
   * Has a write done soon, in the place of one of the same key that has not begun.
   *
   * @param write Makes the operation; it must be fit to be done twice.
   */
  schedule(key: string, write: () => Operation<void>): void {
    const pending: Pending = { write };
    this.#pending.set(key, pending);
    // A task of its own: the caller's code runs first. It keeps the process alive until the write is done.
    setTimeout(() => {
      if (this.#pending.get(key) === pending) this.#run(key, pending).catch((error) => this.#errors.push(error));
    }, 0);
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

  /** Has every pending write done; rejects with the first error of those, and of all since the last call. */
  async flush(): Promise<void> {
    const writes = Array.from(this.#pending, ([key, pending]) => this.#run(key, pending));
    for (const end of await Promise.allSettled(writes)) if (end.status === "rejected") this.#errors.push(end.reason);
    const [first] = this.#errors.splice(0);
    if (first) throw first;
  }

  #run(key: string, pending: Pending): Promise<void> {
    return pending.running ??= runAsync(pending.write()).finally(() => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    });
  }
}
