// Keeps live modules, and their code to recognise them. Never sees artifacts.

import QuickLRU from "quick-lru";
import { CodeIndex } from "./code_index.ts";
import type { Bytes } from "../platform/platform.ts";

/** A module that is whole, and what it was made from. */
export interface Slot<M> {
  /** The module. */
  readonly module: M;
  /** The code, a copy of ours. */
  readonly code: Bytes;
  /** SHA-256 of the code, hexadecimal. */
  readonly digest: string;
  /** Key of the entry. */
  readonly key: string;
  /** Which lookups can still write its entry: whoever made it must not, or could not without waiting. */
  readonly unwritten?: "any" | "async";
}

/** Bounds of the memory tier. */
export interface MemoryLimits {
  /** Modules at the most. */
  readonly maxEntries: number;
  /** Sum of the lengths of their codes at the most, bytes. */
  readonly maxBytes: number;
}

/** Live modules, the least recently used going first. */
export class MemoryTier<M> {
  readonly #limits: MemoryLimits;
  readonly #index: CodeIndex<Slot<M>>;
  readonly #slots: QuickLRU<string, Slot<M>>;
  #entries = 0;
  #bytes = 0;
  #evictions = 0;

  /**
   * Makes an empty tier.
   *
   * @param limits Bounds; zero keeps nothing.
   * @param equal Exact compare of equally long bytes.
   */
  constructor(limits: MemoryLimits, equal: (a: Uint8Array, b: Uint8Array) => boolean) {
    this.#limits = limits;
    this.#index = new CodeIndex(equal);
    // quick-lru wants at least one; what is more than the limits allow is never set.
    this.#slots = new QuickLRU({ maxSize: Math.max(1, limits.maxEntries) });
  }

  /** Modules kept. */
  get entries(): number {
    return this.#entries;
  }

  /** Sum of the lengths of their codes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Modules that had to go for others. */
  get evictions(): number {
    return this.#evictions;
  }

  /** Finds a module by the digest of its code. */
  get(digest: string): Slot<M> | undefined {
    return this.#used(this.#slots.peek(digest));
  }

  /** Finds a module by its code, compared byte for byte. */
  find(view: Uint8Array): Slot<M> | undefined {
    return this.#used(this.#index.find(view));
  }

  /** Tells whether a module of this code may be there without being found by it. */
  isCrowded(view: Uint8Array): boolean {
    return this.#index.isCrowded(view);
  }

  /** Keeps a module, in the place of one of the same code. */
  set(slot: Slot<M>): void {
    this.delete(slot.digest);
    if (this.#limits.maxEntries === 0 || slot.code.length > this.#limits.maxBytes) return;
    this.#makeRoom(slot.code.length);
    this.#slots.set(slot.digest, slot);
    this.#index.add(slot.code, slot);
    this.#entries++;
    this.#bytes += slot.code.length;
  }

  /** Forgets a module; tells whether it was there. */
  delete(digest: string): boolean {
    const slot = this.#slots.peek(digest);
    if (!slot) return false;
    this.#slots.delete(digest);
    this.#index.delete(slot.code);
    this.#entries--;
    this.#bytes -= slot.code.length;
    return true;
  }

  /** Forgets the module of an entry's key; tells whether it was there. Looks through all. */
  deleteKey(key: string): boolean {
    for (const [digest, slot] of this.#slots) if (slot.key === key) return this.delete(digest);
    return false;
  }

  /** Forgets every module. */
  clear(): void {
    this.#slots.clear();
    this.#index.clear();
    this.#entries = 0;
    this.#bytes = 0;
  }

  /** quick-lru leaves a young entry in its place when it is read; set anew, it is the youngest. */
  #used(slot: Slot<M> | undefined): Slot<M> | undefined {
    if (slot) {
      this.#slots.delete(slot.digest);
      this.#slots.set(slot.digest, slot);
    }
    return slot;
  }

  /** quick-lru keeps up to twice its size and knows no bytes: the limits are made exact before anything is added. */
  #makeRoom(bytes: number): void {
    for (const [digest] of this.#slots.entriesAscending()) {
      if (this.#entries < this.#limits.maxEntries && this.#bytes + bytes <= this.#limits.maxBytes) return;
      this.delete(digest);
      this.#evictions++;
    }
  }
}
