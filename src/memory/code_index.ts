// Recognizes code without hashing it: candidates by length and a sample, then an exact compare. Knows no modules.

/** Bytes sampled to find candidates. */
const SAMPLE_BYTES = 64;

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
   *
   * @param code Code that nobody changes any more.
   */
  isCrowded(code: Uint8Array): boolean {
    return this.#candidates.size > 0 && (this.#candidates.get(keptSampleOf(code))?.length ?? 0) > MAX_COMPARED;
  }

  /** Adds code that nobody changes any more. */
  add(code: Uint8Array, value: T): void {
    const sample = keptSampleOf(code);
    const candidates = this.#candidates.get(sample) ?? [];
    this.#candidates.set(sample, candidates);
    candidates.push({ code, value });
  }

  /** Removes code: the same object that was added. */
  delete(code: Uint8Array): void {
    const sample = keptSampleOf(code);
    const rest = this.#candidates.get(sample)?.filter((candidate) => candidate.code !== code) ?? [];
    if (rest.length > 0) this.#candidates.set(sample, rest);
    else this.#candidates.delete(sample);
  }

  /** Removes everything. */
  clear(): void {
    this.#candidates.clear();
  }
}

/**
 * Samples of code that nobody changes any more. A program's first lookups run in the interpreter, where computing one
 * costs 20 µs.
 */
const samples = new WeakMap<Uint8Array, string>();

function keptSampleOf(code: Uint8Array): string {
  const sample = samples.get(code) ?? sampleOf(code);
  samples.set(code, sample);
  return sample;
}

/**
 * Length, and FNV-1a of bytes spread unevenly over the code: code is repetitive, and at even distances they would all
 * fall on the same opcodes.
 */
function sampleOf(code: Uint8Array): string {
  const { length } = code;
  let hash = 0x811c9dc5;
  for (let i = 1; i <= SAMPLE_BYTES; i++) {
    hash = Math.imul(hash ^ code[(Math.imul(i, 0x9e3779b1) & 0x7fffffff) % length]!, 0x01000193);
  }
  return `${length}:${hash}`;
}
