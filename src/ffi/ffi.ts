// The port through which native libraries are called. Types only; each runtime has a small implementation.

/** Address of native memory; 0 is null. A number on Bun, otherwise a bigint: never compare it with `===`. */
export type Address = number | bigint;

/**
 * Types of C values:
 *
 * - `"address"`: a pointer, as an {@linkcode Address};
 * - `"bytes"`: a pointer to the first of some bytes that JavaScript owns; valid until the call returns;
 * - `"size"`: `size_t` and `uint64_t`, made by {@linkcode Ffi.size};
 * - `"u8"`: also C's `bool`, as 0 or 1.
 */
export type CType = "address" | "bytes" | "size" | "i32" | "u8" | "u32" | "void";

/** Result and parameters of a C function. */
export type Signature = readonly [result: CType, ...parameters: CType[]];

/** A C value in JavaScript. */
export type Value<T extends CType> = T extends "void" ? void
  : T extends "bytes" ? Uint8Array
  : T extends "address" | "size" ? Address
  : number;

/** C values in JavaScript, in order. */
export type Values<T extends readonly CType[]> = { [I in keyof T]: Value<T[I]> };

/** A C function in JavaScript. */
export type NativeFunction<S extends Signature> = S extends readonly [infer R, ...infer P]
  ? (...given: P extends readonly CType[] ? Values<P> : never) => R extends CType ? Value<R> : never
  : never;

/** C functions by their names. */
export type NativeFunctions<S extends Readonly<Record<string, Signature>>> = {
  readonly [N in keyof S]: NativeFunction<S[N]>;
};

/** Calls native code. Whatever is wrong about a call (an address, a type) ends the process: callers must not be. */
export interface Ffi {
  /**
   * Opens a library for as long as the process lives.
   *
   * @param path Path of the library, or a name that the system's loader knows.
   * @param signatures The functions needed.
   * @throws The runtime's own error, if there is no such library or function.
   */
  open<S extends Readonly<Record<string, Signature>>>(path: string, signatures: S): NativeFunctions<S>;
  /**
   * Makes a C function of a function, for as long as the process lives. It must not throw, and be called by this thread
   * alone.
   *
   * @returns Its address.
   */
  callback<S extends Signature>(signature: S, call: NativeFunction<S>): Address;
  /** A buffer over native memory, which must outlive all use of it. Not empty. */
  view(address: Address, byteLength: number): ArrayBuffer;
  /** An address, from a number of either type. */
  address(value: Address): Address;
  /** A `size_t`, from a number of either type. */
  size(value: Address): Address;
}
