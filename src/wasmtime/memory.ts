// Memories, as `WebAssembly.Memory` has them. A buffer is a view of native memory, and is detached before that goes.

import { limitsOf, unsignedLong } from "./descriptors.ts";
import type { Slot } from "./native_memory.ts";
import { LOW, Objects } from "./objects.ts";
import type { Store, Viewed } from "./store.ts";

/** A memory. */
export interface NativeMemory {
  /** Its content; another buffer when it has grown, which also detaches the former. */
  readonly buffer: ArrayBuffer;
  /**
   * Grows it.
   *
   * @param delta By how many pages of 64 KiB.
   * @returns How many pages it had before.
   * @throws {RangeError} When it cannot grow so much.
   */
  grow(delta: number): number;
}

/** Class of memories. */
export interface NativeMemoryClass {
  /** Makes a memory, its limits in pages of 64 KiB. */
  new (descriptor: { initial: number; maximum?: number }): NativeMemory;
  /** Prototype of memories. */
  readonly prototype: NativeMemory;
}

/** Most pages of a memory whose addresses have 32 bits, and their length. */
const [MAX_PAGES, PAGE_BYTES] = [65536, 65536];

/** A memory of a store. */
export class MemoryState implements Viewed {
  /** Where it lives. */
  readonly store: Store;
  /** Its `wasmtime_memory_t`. */
  readonly slot: Slot;
  #buffer: ArrayBuffer | undefined;

  /** Takes a memory over. */
  constructor(store: Store, slot: Slot) {
    this.store = store;
    this.slot = slot;
  }

  /** Its buffer. */
  get buffer(): ArrayBuffer {
    const length = this.#length();
    if (this.#buffer?.byteLength === length && !this.#buffer.detached) return this.#buffer;
    this.detach();
    const { machine: { wasmtime } } = this.store.engine;
    this.#buffer = length === 0
      ? new ArrayBuffer(0)
      : wasmtime.view(wasmtime.c.wasmtime_memory_data(this.store.context, this.slot.address), length);
    this.store.addView(this, this.#buffer);
    return this.#buffer;
  }

  /** Grows it by pages. */
  grow(delta: number): number {
    const { machine: { stack, wasmtime: { c, ffi } } } = this.store.engine;
    const context = this.store.checked();
    const before = stack.with(16, (offset, address) => {
      const error = c.wasmtime_memory_grow(context, this.slot.address, ffi.size(delta), address);
      if (error) throw new RangeError(`Cannot grow memory: ${this.store.engine.machine.wasmtime.takeMessage(error)}`);
      return Number(stack.i64[offset >> 3]);
    });
    // Even by nothing: the standard says so.
    this.detach();
    return before;
  }

  /** Detaches the buffer if the memory has grown. */
  check(): void {
    if (this.#buffer && this.#buffer.byteLength !== this.#length()) this.detach();
  }

  /** Detaches the buffer: to use it without the memory would end the process. */
  detach(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    if (buffer && !buffer.detached) buffer.transfer(0);
  }

  #length(): number {
    const { machine: { wasmtime: { c } } } = this.store.engine;
    return Number(c.wasmtime_memory_data_size(this.store.checked(), this.slot.address));
  }
}

/** All memories. */
export const memories: Objects<MemoryState> = new Objects("memory", LOW, (store, slot) => new MemoryState(store, slot));

/** Makes a class of memories that are made in the stores given. */
export function memoryClass(place: () => Store): NativeMemoryClass {
  return class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean; address?: string }) {
      makeMemory(this, place, descriptor);
    }

    get buffer(): ArrayBuffer {
      return memories.stateOf(this).buffer;
    }

    grow(delta: number): number {
      const state = memories.stateOf(this);
      return state.grow(unsignedLong("delta of memory", delta));
    }

    get [Symbol.toStringTag](): string {
      return "WebAssembly.Memory";
    }
  };
}

/**
 * Makes a memory of an object.
 *
 * @throws {TypeError | RangeError} When the descriptor is invalid, or there is no room.
 */
export function makeMemory(
  memory: object,
  place: () => Store,
  descriptor: { initial?: unknown; maximum?: unknown; shared?: unknown; address?: unknown },
): void {
  const { initial, maximum } = limitsOf("memory", descriptor, MAX_PAGES);
  if (maximum !== undefined && maximum > MAX_PAGES) {
    throw new RangeError(`Cannot make memory: a maximum of ${maximum} is more than ${MAX_PAGES}`);
  }
  if (descriptor.shared) throw new TypeError("Cannot make memory: shared memories are not supported");
  if (descriptor.address !== undefined && descriptor.address !== "i32") {
    throw new TypeError("Cannot make memory: only those with addresses of 32 bits are supported");
  }
  const store = place();
  const { machine: { wasmtime } } = store.engine;
  const { c, ffi } = wasmtime;
  const most = [maximum === undefined ? 0 : 1, ffi.size(maximum ?? 0)] as const;
  store.engine.machine.slots.with((slot) => {
    const wrong = c.wasmtime_memorytype_new(ffi.size(initial), ...most, 0, 0, Math.log2(PAGE_BYTES), slot.address);
    if (wrong) throw new RangeError(`Cannot make memory: ${wasmtime.takeMessage(wrong)}`);
    const type = ffi.address(slot.words[0]!);
    const error = c.wasmtime_memory_new(store.context, type, slot.address);
    c.wasm_memorytype_delete(type);
    if (error) throw new RangeError(`Cannot make memory: ${wasmtime.takeMessage(error)}`);
    memories.bind(memory, store, slot.words);
  });
}
