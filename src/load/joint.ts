// Work that several callers wait for, each of whom may give up.

/** Callers of one work. */
export class Joint<T> {
  readonly #abort = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;

  /** Begins; `work` gets a signal that comes when nobody waits any more. */
  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#result = work(this.#abort.signal);
    this.#result.catch(() => {});
  }

  /** Whether nobody waits any more. */
  get isAborted(): boolean {
    return this.#abort.signal.aborted;
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
