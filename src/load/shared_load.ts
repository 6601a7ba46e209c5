// Work that several callers wait for, any of whom may give up.

/** Work in progress, and the callers waiting for it. */
export class Joint<T> {
  readonly #abort = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;

  /**
   * Starts the work.
   *
   * @param work Receives a signal that is aborted when nobody waits any more.
   * @param onEnd Called when the work has ended, or nobody waits any more: later callers must start anew.
   */
  constructor(work: (signal: AbortSignal) => Promise<T>, onEnd: () => void) {
    const { signal } = this.#abort;
    signal.addEventListener("abort", onEnd, { once: true });
    this.#result = work(signal).finally(onEnd);
    this.#result.catch(() => {});
  }

  /**
   * Waits for the result.
   *
   * @param signal Ends this caller's wait, and the work if nobody else waits.
   * @throws The reason of the signal, or the work's own error.
   */
  async join(signal?: AbortSignal): Promise<T> {
    this.#waiting++;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const leave = () => {
      if (--this.#waiting === 0) this.#abort.abort(signal!.reason);
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([this.#result, aborted]);
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }
}
