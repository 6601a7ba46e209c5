// Native calls on Node 26, by `node:ffi`. Addresses are bigints.

import { nodeFfi as loadFfi } from "../platform/node_ffi.ts";
import type { Address, CType, Ffi, Signature } from "./ffi.ts";

interface NodeFfi {
  dlopen(path: string, symbols: Record<string, NodeSymbol>): {
    readonly functions: object;
    readonly lib: { registerCallback(symbol: NodeSymbol, call: unknown): bigint };
  };
  toArrayBuffer(address: bigint, byteLength: number, copies: boolean): ArrayBuffer;
}

interface NodeSymbol {
  readonly arguments: string[];
  readonly return: string;
}

const TYPES: Record<CType, string> = {
  address: "pointer",
  bytes: "buffer",
  size: "uint64",
  i32: "int32",
  u8: "uint8",
  u32: "uint32",
  void: "void",
};

/** Libraries, which would be closed with their objects. */
const libraries: ReturnType<NodeFfi["dlopen"]>["lib"][] = [];

/** Calls native code on Node. */
export function nodeFfi(): Ffi {
  const { dlopen, toArrayBuffer } = loadFfi<NodeFfi>();
  return {
    open: (path, signatures) => {
      const symbols = Object.entries(signatures).map(([name, signature]) => [name, symbolOf(signature)]);
      const { functions, lib } = dlopen(path, Object.fromEntries(symbols));
      libraries.push(lib);
      return functions as never;
    },
    // A callback belongs to a library, whichever.
    callback: (signature, call) => libraries[0]!.registerCallback(symbolOf(signature), call),
    view: (address, byteLength) => toArrayBuffer(address as bigint, byteLength, false),
    address: toBigInt,
    size: toBigInt,
  };
}

function toBigInt(value: Address): bigint {
  return BigInt(value);
}

function symbolOf([result, ...parameters]: Signature): NodeSymbol {
  return { arguments: parameters.map((type) => TYPES[type]), return: TYPES[result] };
}
