// Native memory that JavaScript reads and writes at known addresses: a stack for arguments and results of calls, and
// slots for structures that live longer.

import type { Address } from "../ffi/ffi.ts";
import type { Wasmtime } from "./binding.ts";

/** Length of a `wasmtime_val_raw_t`, and the alignment of everything on the stack. */
export const RAW_BYTES = 16;

/** Length of a slot, bytes: any extern, reference or value fits. */
export const SLOT_BYTES = 32;

/** Length of the stack, bytes, and how much of it a call may need: 1,000 results are the most that the standard allows. */
const [STACK_BYTES, MAX_FRAME_BYTES] = [1024 * 1024, 1000 * RAW_BYTES];

/** Where the stack begins: before it is the place for `wasm_trap_t*`, at offset 0. */
const FIRST = RAW_BYTES;

/** Views of one buffer. */
export class Views {
  /** As 32-bit integers. */
  readonly i32: Int32Array;
  /** As 64-bit integers. */
  readonly i64: BigInt64Array;
  /** As 32-bit floating point numbers. */
  readonly f32: Float32Array;
  /** As 64-bit floating point numbers. */
  readonly f64: Float64Array;

  /** Creates the views. */
  constructor(buffer: ArrayBuffer) {
    this.i32 = new Int32Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
}

/** Stack of arguments and results. Offsets are bytes from its start. */
export class Stack extends Views {
  /** Offset of the first free byte. Whoever takes some puts it back. */
  top: number = FIRST;
  /** Address of the place for traps. */
  readonly trapAddress: Address;
  readonly #ffi: Wasmtime["ffi"];
  readonly #base: number;
  /** Addresses, by offset: to make a bigint takes longer than to find one. */
  readonly #addresses: Address[] = [];

  /** Allocates the stack. */
  constructor(wasmtime: Wasmtime) {
    const { address, buffer } = wasmtime.allocate(STACK_BYTES);
    super(buffer);
    this.#ffi = wasmtime.ffi;
    this.#base = address;
    this.trapAddress = this.addressAt(0);
    this.i64[0] = 0n;
  }

  /** Address of an offset. */
  addressAt(offset: number): Address {
    return this.#addresses[offset >> 4] ?? this.#newAddress(offset);
  }

  /**
   * Checks that there is room for one more call.
   *
   * @throws {RangeError} When calls are nested too deeply.
   */
  checkRoom(): void {
    if (this.top > STACK_BYTES - MAX_FRAME_BYTES) throw new RangeError("Cannot call: calls are nested too deeply");
  }

  /** Runs a step with some bytes of the stack, zeroed. */
  with<T>(byteLength: number, use: (offset: number, address: Address) => T): T {
    this.checkRoom();
    const offset = this.top;
    this.top += Math.ceil(byteLength / RAW_BYTES) * RAW_BYTES;
    this.i64.fill(0n, offset >> 3, this.top >> 3);
    try {
      return use(offset, this.addressAt(offset));
    } finally {
      this.top = offset;
    }
  }

  #newAddress(offset: number): Address {
    const { length } = this.#addresses;
    for (let i = length; i <= offset >> 4; i++) this.#addresses.push(this.#ffi.address(this.#base + i * RAW_BYTES));
    return this.#addresses[offset >> 4]!;
  }
}

/** A slot. */
export interface Slot {
  /** Its address. */
  readonly address: Address;
  /** Address of its second word: where a `wasmtime_val_t` has its value. */
  readonly second: Address;
  /** Its content. */
  readonly words: BigUint64Array<ArrayBuffer>;
}

/** Slots in pages, taken and given back. */
export class Slots {
  readonly #wasmtime: Wasmtime;
  readonly #free: Slot[] = [];

  /** Allocates nothing yet. */
  constructor(wasmtime: Wasmtime) {
    this.#wasmtime = wasmtime;
  }

  /** Takes a slot; its content is undefined. */
  take(): Slot {
    return this.#free.pop() ?? this.#takeNew();
  }

  /** Runs a step with a slot. */
  with<T>(use: (slot: Slot) => T): T {
    const slot = this.take();
    try {
      return use(slot);
    } finally {
      this.giveBack(slot);
    }
  }

  /** Gives a slot back. */
  giveBack(slot: Slot): void {
    this.#free.push(slot);
  }

  #takeNew(): Slot {
    const { ffi } = this.#wasmtime;
    const { address, buffer } = this.#wasmtime.allocate(SLOTS_PER_PAGE * SLOT_BYTES);
    for (let i = 0; i < SLOTS_PER_PAGE; i++) {
      const [start, words] = [address + i * SLOT_BYTES, new BigUint64Array(buffer, i * SLOT_BYTES, SLOT_BYTES / 8)];
      this.#free.push({ address: ffi.address(start), second: ffi.address(start + 8), words });
    }
    return this.#free.pop()!;
  }
}

const SLOTS_PER_PAGE = 128;
