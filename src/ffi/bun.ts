// Native calls on Bun, by `bun:ffi`. Addresses are numbers; a null pointer that C returns arrives as `null`.

import { nodeProcess } from "../platform/node_builtins.ts";
import type { Address, CType, Ffi, Signature } from "./ffi.ts";

interface BunFfi {
  readonly JSCallback: new (call: unknown, symbol: BunSymbol) => { readonly ptr: number };
  dlopen(path: string, symbols: Record<string, BunSymbol>): { readonly symbols: object };
  toArrayBuffer(address: number, byteOffset: number, byteLength: number): ArrayBuffer;
}

interface BunSymbol {
  readonly args: string[];
  readonly returns: string;
}

const TYPES: Record<CType, string> = {
  address: "ptr",
  bytes: "ptr",
  size: "u64",
  i32: "i32",
  u8: "u8",
  u32: "u32",
  void: "void",
};

/** Callbacks, which would be freed with their objects. */
const callbacks: object[] = [];

/** Calls native code on Bun. */
export function bunFfi(): Ffi {
  const { dlopen, JSCallback, toArrayBuffer } = nodeProcess().getBuiltinModule("bun:ffi") as BunFfi;
  return {
    open: (path, signatures) => {
      const symbols = Object.entries(signatures).map(([name, signature]) => [name, symbolOf(signature)]);
      return dlopen(path, Object.fromEntries(symbols)).symbols as never;
    },
    callback: (signature, call) => {
      const callback = new JSCallback(call, symbolOf(signature));
      callbacks.push(callback);
      return callback.ptr;
    },
    view: (address, byteLength) => toArrayBuffer(address as number, 0, byteLength),
    address: toNumber,
    size: toNumber,
  };
}

function toNumber(value: Address): number {
  return Number(value);
}

function symbolOf([result, ...parameters]: Signature): BunSymbol {
  return { args: parameters.map((type) => TYPES[type]), returns: TYPES[result] };
}
