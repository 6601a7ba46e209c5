// What one thread has of an opened library: stack, slots, the one callback, and which store runs. A call in and a call
// out meet here.

import type { Address } from "../ffi/ffi.ts";
import { native } from "../engine/runtime.ts";
import { toUtf8 } from "../platform/globals.ts";
import { bytesOf, Wasmtime } from "./binding.ts";
import { Slots, Stack, Views } from "./native_memory.ts";
import { trapOf } from "./traps.ts";
import { TypeReader } from "./types.ts";
import type { Ffi } from "../ffi/ffi.ts";

/** A function of JavaScript that WebAssembly calls: reads its arguments at an offset, and puts the results there. */
export type HostFunction = (views: Views, offset: number) => void;

/** What the machine must know of a running store. */
export interface Running {
  /** Its host functions. */
  readonly hostFunctions: readonly HostFunction[];
  /** Drops a value that WebAssembly refers to no more. */
  dropExtern(id: number): void;
  /** Detaches buffers of memories that have grown. */
  checkMemories(): void;
}

/** Everything of one library in one thread. */
export class Machine {
  /** The library. */
  readonly wasmtime: Wasmtime;
  /** Arguments and results. */
  readonly stack: Stack;
  /** Structures. */
  readonly slots: Slots;
  /** Types. */
  readonly types: TypeReader;
  /** Address of the callback that host functions have. */
  readonly callAddress: Address;
  /** Address of the callback that drops values. */
  readonly dropAddress: Address;
  /** The store that runs. */
  running: Running | undefined;
  /** What a host function threw; it waits for the call that it goes to. */
  #thrown: { readonly error: unknown } | undefined;
  #region: { readonly start: number; readonly views: Views } | undefined;
  readonly #trapText = toUtf8("a host function threw");

  /**
   * Opens the library.
   *
   * @throws The runtime's own error, if it cannot be opened.
   */
  constructor(ffi: Ffi, path: string) {
    this.wasmtime = new Wasmtime(ffi, path);
    this.stack = new Stack(this.wasmtime);
    this.slots = new Slots(this.wasmtime);
    this.types = new TypeReader(this.wasmtime, this.slots);
    this.callAddress = ffi.callback(
      ["address", "address", "address", "address", "size"],
      (id, _caller, values) => this.#callOut(Number(id), Number(values)),
    );
    this.dropAddress = ffi.callback(["void", "address"], (id) => this.running?.dropExtern(Number(id)));
  }

  /** Whether a host function threw, and nobody has got it yet. */
  get hasThrown(): boolean {
    return this.#thrown !== undefined;
  }

  /** Runs a step within a store: host functions that it calls are that store's. */
  within<T>(store: Running, step: () => T): T {
    const outer = this.running;
    this.running = store;
    try {
      return step();
    } finally {
      this.running = outer;
    }
  }

  /**
   * Throws what ended a call.
   *
   * @param error A `wasmtime_error_t`, or null; the place for traps may have one as well.
   * @throws What a host function threw, or a `WebAssembly.RuntimeError` with a `code`.
   */
  fail(error: Address): never {
    const trap = this.stack.i64[0]!;
    this.stack.i64[0] = 0n;
    const [text, number] = trap === 0n ? [this.wasmtime.takeMessage(error), undefined] : this.#takeTrap(trap);
    const thrown = this.#thrown;
    this.#thrown = undefined;
    if (thrown) throw thrown.error;
    throw trapOf(native.RuntimeError, number, text);
  }

  #takeTrap(trap: bigint): [string, number | undefined] {
    const { c, ffi } = this.wasmtime;
    const [address, text, code] = [ffi.address(trap), new BigUint64Array(2), new Uint8Array(8)];
    c.wasm_trap_message(address, bytesOf(text));
    const isKnown = c.wasmtime_trap_code(address, code) === 1;
    c.wasm_trap_delete(address);
    return [new TextDecoder().decode(this.wasmtime.takeBytes(text)).replace(/\0$/, ""), isKnown ? code[0] : undefined];
  }

  /** Calls a host function. Returns a `wasm_trap_t` if it throws. */
  #callOut(id: number, values: number): Address {
    const running = this.running!;
    const { top } = this.stack;
    try {
      running.checkMemories();
      const { start, views } = this.#region && isIn(values, this.#region.start)
        ? this.#region
        : this.#newRegion(values);
      running.hostFunctions[id]!(views, values - start);
      return this.wasmtime.null;
    } catch (error) {
      this.#thrown = { error };
      return this.wasmtime.c.wasmtime_trap_new(this.#trapText, this.wasmtime.ffi.size(this.#trapText.length));
    } finally {
      this.running = running;
      this.stack.top = top;
    }
  }

  /** Views of the part of the thread's own stack where Wasmtime puts arguments: made once, for it takes 1 µs. */
  #newRegion(values: number): { start: number; views: Views } {
    const start = values - values % REGION_BYTES;
    return this.#region = { start, views: new Views(this.wasmtime.view(start, REGION_BYTES + MAX_VALUES_BYTES)) };
  }
}

/** Larger than most stacks; and the longest that arguments are, which begin in it. */
const [REGION_BYTES, MAX_VALUES_BYTES] = [16 * 1024 * 1024, 64 * 1024];

function isIn(values: number, start: number): boolean {
  return values >= start && values < start + REGION_BYTES;
}
