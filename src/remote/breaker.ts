// Leaves alone what keeps failing: a circuit breaker.

/** After so many failures in a row. */
const MAX_FAILURES = 3;

/** For so long, ms. */
const PAUSE_MS = 30_000;

/** Closed while calls succeed, open after some failed, half-open when one call tries again. */
export class Breaker {
  readonly #clock: () => number;
  #failures = 0;
  #retryMs = 0;

  /** Closed. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Whether calls must be left out. */
  get isOpen(): boolean {
    return this.#failures >= MAX_FAILURES && this.#clock() < this.#retryMs;
  }

  /** Whether a call may be made now: always, or after the pause the first. */
  enter(): boolean {
    if (this.isOpen) return false;
    // Others stay away while this one tries.
    if (this.#failures >= MAX_FAILURES) this.#retryMs = this.#clock() + PAUSE_MS;
    return true;
  }

  /** Notes how a call ended. */
  note(isSuccess: boolean): void {
    this.#failures = isSuccess ? 0 : this.#failures + 1;
    if (this.#failures >= MAX_FAILURES) this.#retryMs = this.#clock() + PAUSE_MS;
  }
}
