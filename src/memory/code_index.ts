// Recognizes code without hashing it: candidates by length and a sample, then an exact compare. Knows no modules.

/** Bytes sampled to find candidates. */
const SAMPLE_BYTES = 128;

/** How many entries of one length and sample are compared, the newest first. Beyond that, code is found by SHA-256. */
const MAX_COMPARED = 8;

interface Candidate<T> {
  readonly code: Uint8Array;
  readonly value: T;
}

/** Values, found by code. */
export class CodeIndex<T> {
  readonly #equal: (a: Uint8Array, b: Uint8Array) => boolean;
  readonly #candidates = new Map<string, Candidate<T>[]>();

  /** Creates an empty index. `equal` compares bytes of the same length exactly. */
  constructor(equal: (a: Uint8Array, b: Uint8Array) => boolean) {
    this.#equal = equal;
  }

  /** Finds the value of exactly this code. Costs one pass over the bytes if there is a candidate, otherwise nothing. */
  find(view: Uint8Array): T | undefined {
    if (this.#candidates.size === 0) return undefined;
    const youngest = this.#candidates.get(sampleOf(view))?.slice(-MAX_COMPARED);
    return youngest?.find(({ code }) => this.#equal(code, view))?.value;
  }

  /**
   * Whether there are more entries of this length and sample than are compared: the code may be there without being
   * found.
   */
  isCrowded(view: Uint8Array): boolean {
    if (this.#candidates.size === 0) return false;
    return (this.#candidates.get(sampleOf(view))?.length ?? 0) > MAX_COMPARED;
  }

  /** Adds code that nobody changes any more. */
  add(code: Uint8Array, value: T): void {
    const sample = sampleOf(code);
    const candidates = this.#candidates.get(sample) ?? [];
    this.#candidates.set(sample, candidates);
    candidates.push({ code, value });
  }

  /** Removes code: the same object that was added. */
  delete(code: Uint8Array): void {
    const sample = sampleOf(code);
    const rest = this.#candidates.get(sample)?.filter((candidate) => candidate.code !== code) ?? [];
    if (rest.length > 0) this.#candidates.set(sample, rest);
    else this.#candidates.delete(sample);
  }

  /** Removes everything. */
  clear(): void {
    this.#candidates.clear();
  }
}

/** Length, and FNV-1a of bytes spread evenly from the first to the last. */
function sampleOf(code: Uint8Array): string {
  const last = code.length - 1;
  const steps = Math.min(last, SAMPLE_BYTES - 1);
  let hash = 0x811c9dc5;
  for (let step = 0; step <= steps; step++) {
    hash = Math.imul(hash ^ code[steps > 0 ? Math.floor(last * step / steps) : 0]!, 0x01000193);
  }
  return `${code.length}:${hash}`;
}
