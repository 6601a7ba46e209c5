// Keeps live modules, and their code to recognize them. Never sees artifacts.

import QuickLRU from "quick-lru";
import { CodeIndex } from "./code_index.ts";
import type { Bytes } from "../platform/platform.ts";

/** A module and the code it was compiled from. */
export interface Slot<M> {
  /** The module. */
  readonly module: M;
  /** The code, our own copy. */
  readonly code: Bytes;
  /** SHA-256 of the code, hexadecimal. */
  readonly digest: string;
  /** Key of the entry. */
  readonly key: string;
  /** What compiling it took, ms; 0 if that is not known. */
  readonly compileMs: number;
  /** Which lookups can still write its entry, if the one that compiled it must not, or could not without waiting. */
  readonly unwritten?: "any" | "async";
}

/** Bounds of the memory tier. */
export interface MemoryLimits {
  /** Most modules. */
  readonly maxEntries: number;
  /** Most bytes of code. */
  readonly maxBytes: number;
}

/** Live modules. The least recently used are evicted first. */
export class MemoryTier<M> {
  readonly #limits: MemoryLimits;
  readonly #onEvict: (slot: Slot<M>) => void;
  readonly #index: CodeIndex<Slot<M>>;
  readonly #slots: QuickLRU<string, Slot<M>>;
  #entries = 0;
  #bytes = 0;
  #evictions = 0;

  /**
   * Creates an empty tier.
   *
   * @param limits Bounds; zero keeps nothing.
   * @param equal Compares bytes of the same length exactly.
   * @param onEvict Called with each module that has to make room.
   */
  constructor(
    limits: MemoryLimits,
    equal: (a: Uint8Array, b: Uint8Array) => boolean,
    onEvict: (slot: Slot<M>) => void = () => {},
  ) {
    this.#limits = limits;
    this.#onEvict = onEvict;
    this.#index = new CodeIndex(equal);
    // quick-lru requires at least 1; `set` keeps the exact limits.
    this.#slots = new QuickLRU({ maxSize: Math.max(1, limits.maxEntries) });
  }

  /** Modules kept. */
  get entries(): number {
    return this.#entries;
  }

  /** Bytes of their code. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The module that was used last. */
  get latest(): Slot<M> | undefined {
    const { value } = this.#slots.entriesDescending().next();
    return value?.[1];
  }

  /** Modules evicted to make room for others. */
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

  /** Whether a module whose code has this length may be there and be found by its digest only. */
  mayInherit(_length: number): boolean {
    return false;
  }

  /** Keeps a module, replacing one of the same code. */
  set(slot: Slot<M>): void {
    this.delete(slot.digest);
    if (this.#limits.maxEntries === 0 || slot.code.length > this.#limits.maxBytes) return;
    this.#makeRoom(slot.code.length);
    this.#slots.set(slot.digest, slot);
    this.#index.add(slot.code, slot);
    this.#entries++;
    this.#bytes += slot.code.length;
  }

  /** Removes a module. Returns whether it was there. */
  delete(digest: string): boolean {
    const slot = this.#slots.peek(digest);
    if (!slot) return false;
    this.#slots.delete(digest);
    this.#index.delete(slot.code);
    this.#entries--;
    this.#bytes -= slot.code.length;
    return true;
  }

  /** Removes the module of an entry's key. Returns whether it was there. Searches all modules. */
  deleteKey(key: string): boolean {
    for (const [digest, slot] of this.#slots) if (slot.key === key) return this.delete(digest);
    return false;
  }

  /** Removes every module. */
  clear(): void {
    this.#slots.clear();
    this.#index.clear();
    this.#entries = 0;
    this.#bytes = 0;
  }

  /** quick-lru does not move a young entry when it is read; setting it again does. */
  #used(slot: Slot<M> | undefined): Slot<M> | undefined {
    if (slot) {
      this.#slots.delete(slot.digest);
      this.#slots.set(slot.digest, slot);
    }
    return slot;
  }

  /**
   * quick-lru keeps up to twice its size and does not count bytes: the exact limits are enforced before anything is
   * added.
   */
  #makeRoom(bytes: number): void {
    const hasRoom = () => this.#entries < this.#limits.maxEntries && this.#bytes + bytes <= this.#limits.maxBytes;
    // Without the iterator, which takes 20 µs.
    if (hasRoom()) return;
    for (const [digest, slot] of this.#slots.entriesAscending()) {
      if (hasRoom()) return;
      this.delete(digest);
      this.#evictions++;
      this.#onEvict(slot);
    }
  }
}
