// Work that several callers wait for, each of whom may give up.

/** Callers of one work. */
export class Joint<T> {
  readonly #abort = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;

  /**
   * Begins.
   *
   * @param work Gets a signal that comes when nobody waits any more.
   * @param onEnd Is called when it has ended, or nobody waits any more: who comes then begins anew.
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
   * @param signal Ends this caller's wait, and the work where all others have gone.
   * @throws The reason of the signal, or what the work fails with.
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
