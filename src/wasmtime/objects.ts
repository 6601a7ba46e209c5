// Objects of JavaScript for memories, tables and globals of WebAssembly: each has one, and each object one state.

import type { Slot } from "./native_memory.ts";
import type { Store } from "./store.ts";

/** Objects of one kind. */
export class Objects<State> {
  readonly #kind: string;
  readonly #mask: bigint;
  readonly #states = new WeakMap<object, State>();
  readonly #make: (store: Store, slot: Slot) => State;

  /**
   * Knows nothing yet.
   *
   * @param mask Bits of the structure's second word that tell externs apart: the rest may be anything.
   * @param make Makes the state of an extern, whose structure is in a slot.
   */
  constructor(kind: string, mask: bigint, make: (store: Store, slot: Slot) => State) {
    this.#kind = kind;
    this.#mask = mask;
    this.#make = make;
  }

  /** What is behind an object; `undefined` for other values. */
  find(value: unknown): State | undefined {
    return typeof value === "object" && value !== null ? this.#states.get(value) : undefined;
  }

  /**
   * What is behind an object.
   *
   * @throws {TypeError} When there is nothing.
   */
  stateOf(value: unknown): State {
    const state = this.find(value);
    if (!state) throw new TypeError(`Cannot use ${this.#kind}: it is another object`);
    return state;
  }

  /** The object of an extern; a new one has the prototype. */
  objectOf(store: Store, words: BigUint64Array, prototype: object): object {
    return store.known.get(this.#identity(words)) ?? this.bind(Object.create(prototype), store, words);
  }

  /** Makes an object that of an extern. */
  bind(object: object, store: Store, words: BigUint64Array): object {
    const slot = store.takeSlot();
    slot.words.set(words.subarray(0, 3));
    this.#states.set(object, this.#make(store, slot));
    store.known.set(this.#identity(words), object);
    return object;
  }

  #identity([, second, third]: BigUint64Array): string {
    return `${this.#kind} ${second! & this.#mask} ${third! & LOW}`;
  }
}

/** The lower half of a word. */
export const LOW = 0xffff_ffffn;
