// When entries were last used and how large they are, of any number of entries: to tell which of them must go. Knows no
// files.

/** The uses of entries, 16 bytes each. */
export class Uses {
  #timesMs = new Float64Array(1024);
  #sizes = new Float64Array(1024);
  #count = 0;
  #earliestMs = Infinity;
  #latestMs = -Infinity;

  /** Adds an entry. `timeMs` is an integer. */
  add(timeMs: number, size: number): void {
    if (this.#count === this.#sizes.length) {
      [this.#timesMs, this.#sizes] = [doubled(this.#timesMs), doubled(this.#sizes)];
    }
    this.#timesMs[this.#count] = timeMs;
    this.#sizes[this.#count++] = size;
    this.#earliestMs = Math.min(this.#earliestMs, timeMs);
    this.#latestMs = Math.max(this.#latestMs, timeMs);
  }

  /**
   * The earliest time so that the entries used until then have so many bytes, or the latest if all have fewer.
   *
   * @returns The time, and the bytes of those used before it; `undefined` if there are none.
   */
  until(bytes: number): { timeMs: number; bytesBefore: number } | undefined {
    if (this.#count === 0) return undefined;
    let [before, timeMs] = [this.#earliestMs - 1, this.#latestMs];
    while (timeMs - before > 1) {
      const middle = Math.floor((before + timeMs) / 2);
      if (this.#bytesUntil(middle) < bytes) before = middle;
      else timeMs = middle;
    }
    return { timeMs, bytesBefore: this.#bytesUntil(timeMs - 1) };
  }

  #bytesUntil(timeMs: number): number {
    let sum = 0;
    for (let i = 0; i < this.#count; i++) if (this.#timesMs[i]! <= timeMs) sum += this.#sizes[i]!;
    return sum;
  }
}

function doubled(numbers: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const twice = new Float64Array(2 * numbers.length);
  twice.set(numbers);
  return twice;
}
