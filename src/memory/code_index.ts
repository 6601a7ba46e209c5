// Recognizes code without hashing it: its length and a few of its bytes tell it from all other code that is there, then
// it is compared exactly. Knows no modules.

import { copyOf } from "../bytes.ts";

/** By how many bytes codes are told apart; from there on, a hash of all bytes does it. */
const MAX_DEPTH = 8;

/** Compares bytes of the same length exactly. */
type Equal = (a: Uint8Array, b: Uint8Array) => boolean;

/** A place in the tree; forks and leaves know where they hang. */
type Place<T> = Fork<T> | Leaf<T>;

/** Codes that are equal. */
class Leaf<T> {
  parent!: Fork<T>;
  key!: number;
  same: { readonly code: Uint8Array; readonly value: T }[] = [];
}

/** Tells codes apart by a number that each has. */
class Fork<T> {
  parent: Fork<T> | undefined;
  key!: number;
  readonly keyOf: (code: Uint8Array) => number;
  readonly ways = new Map<number, Place<T>>();

  constructor(keyOf: (code: Uint8Array) => number) {
    this.keyOf = keyOf;
  }

  put<P extends Place<T>>(key: number, place: P): P {
    this.ways.set(key, place);
    return Object.assign(place, { parent: this, key });
  }

  /** Takes a leaf away; and this fork, if it has nothing left to tell apart. */
  remove(leaf: Leaf<T>): void {
    this.ways.delete(leaf.key);
    const [only] = this.ways.values();
    if (this.parent && only && this.ways.size === 1) this.parent.put(this.key, only);
  }
}

/** Values, found by code. */
export class CodeIndex<T> {
  readonly #equal: Equal;
  readonly #root = new Fork<T>(({ length }) => length);
  /** Where each code is, by the very object: an engine may have transferred its bytes away. */
  readonly #leaves = new Map<Uint8Array, Leaf<T>>();

  /** Creates an empty index. `equal` compares bytes of the same length exactly. */
  constructor(equal: Equal) {
    this.#equal = equal;
  }

  /** Finds the value of exactly this code. Costs one pass over the bytes if there is a candidate, otherwise nothing. */
  find(view: Uint8Array): T | undefined {
    const first = this.#walk(view).leaf?.same[0];
    return first && this.#equal(first.code, view) ? first.value : undefined;
  }

  /** Adds code that nobody changes any more; of equal codes, the first is found. */
  add(code: Uint8Array, value: T): void {
    const { fork, key, leaf, depth } = this.#walk(code);
    const place = leaf ? this.#beside(leaf, code, depth) : fork.put(key, new Leaf<T>());
    place.same.push({ code, value });
    this.#leaves.set(code, place);
  }

  /** Removes code: the same object that was added. */
  delete(code: Uint8Array): void {
    const leaf = this.#leaves.get(code);
    if (!leaf) return;
    this.#leaves.delete(code);
    leaf.same = leaf.same.filter((candidate) => candidate.code !== code);
    if (leaf.same.length === 0) leaf.parent.remove(leaf);
  }

  /** Removes everything. */
  clear(): void {
    this.#root.ways.clear();
    this.#leaves.clear();
  }

  /** Where code is, or would be. */
  #walk(view: Uint8Array): { fork: Fork<T>; key: number; leaf?: Leaf<T>; depth: number } {
    let fork = this.#root;
    for (let depth = 0;; depth++) {
      const key = fork.keyOf(view);
      const next = fork.ways.get(key);
      if (!(next instanceof Fork)) return { fork, key, leaf: next, depth };
      fork = next;
    }
  }

  /** The leaf itself if its code is the same, else a new one beside it. */
  #beside(leaf: Leaf<T>, code: Uint8Array, depth: number): Leaf<T> {
    const other = leaf.same[0]!.code;
    // Its bytes are gone: it is found no more.
    if (other.length !== code.length) leaf.same = [];
    if (other.length !== code.length || this.#equal(other, code)) return leaf;
    const fork = leaf.parent.put(leaf.key, new Fork<T>(this.#difference(other, code, depth)));
    fork.put(fork.keyOf(other), leaf);
    return fork.put(fork.keyOf(code), new Leaf<T>());
  }

  /** What tells two codes apart that are not the same. */
  #difference(a: Uint8Array, b: Uint8Array, depth: number): (code: Uint8Array) => number {
    if (depth === MAX_DEPTH && hashOf(a) !== hashOf(b)) return hashOf;
    let [from, to] = [0, a.length];
    while (to - from > 1) {
      const middle = (from + to) >> 1;
      if (this.#equal(a.subarray(from, middle), b.subarray(from, middle))) from = middle;
      else to = middle;
    }
    return (code) => code[from]!;
  }
}

/** As FNV-1a, by words in four lanes: a third of the time of SHA-256. Equal hashes cost a level of the tree. */
function hashOf(code: Uint8Array): number {
  const aligned = code.byteOffset % 4 === 0 ? code : copyOf(code);
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, code.length >> 2);
  const [prime, whole] = [0x9e3779b1, words.length & ~3];
  let [a, b, c, d] = [1, 2, 3, 4];
  for (let i = 0; i < whole; i += 4) {
    a = Math.imul(a ^ words[i]!, prime);
    b = Math.imul(b ^ words[i + 1]!, prime);
    c = Math.imul(c ^ words[i + 2]!, prime);
    d = Math.imul(d ^ words[i + 3]!, prime);
  }
  for (let i = whole * 4; i < code.length; i++) a = Math.imul(a ^ code[i]!, prime);
  for (const lane of [b, c, d]) a = Math.imul(a ^ lane ^ lane >>> 15, prime);
  return a;
}
