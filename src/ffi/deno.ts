// Native calls on Deno, by `Deno.dlopen`. Addresses are bigints: only with those do its fast calls take 64-bit numbers.

import type { Address, CType, Ffi, Signature } from "./ffi.ts";

const TYPES: Record<CType, Deno.NativeResultType> = {
  address: "u64",
  bytes: "buffer",
  size: "u64",
  i32: "i32",
  u8: "u8",
  u32: "u32",
  void: "void",
};

/** Callbacks, which would be freed with their objects. */
const callbacks: Deno.UnsafeCallback[] = [];

/** Calls native code on Deno, with the permission `--allow-ffi`. */
export const denoFfi: Ffi = {
  open: (path, signatures) => {
    const symbols = Object.entries(signatures).map(([name, signature]) => [name, symbolOf(signature)]);
    return Deno.dlopen(path, Object.fromEntries(symbols) as Deno.ForeignLibraryInterface).symbols as never;
  },
  callback: (signature, call) => {
    const callback = new Deno.UnsafeCallback(symbolOf(signature) as Deno.UnsafeCallbackDefinition, call as never);
    callbacks.push(callback as Deno.UnsafeCallback);
    return Deno.UnsafePointer.value(callback.pointer);
  },
  view: (address, byteLength) =>
    Deno.UnsafePointerView.getArrayBuffer(Deno.UnsafePointer.create(address as bigint)!, byteLength) as ArrayBuffer,
  address: toBigInt,
  size: toBigInt,
};

function toBigInt(value: Address): bigint {
  return BigInt(value);
}

function symbolOf([result, ...parameters]: Signature): Deno.ForeignFunction {
  return { parameters: parameters.map((type) => TYPES[type] as Deno.NativeType), result: TYPES[result] };
}
