// The functions of Wasmtime's C API that this library calls, and one opened library with them. Knows no runtime.

import type { Address, Ffi, NativeFunctions, Signature } from "../ffi/ffi.ts";
import { fromUtf8 } from "../platform/globals.ts";

/** As in Wasmtime 50. Structures are passed by address only; their layouts changed last in version 46. */
export const SIGNATURES = {
  wasm_byte_vec_new_uninitialized: ["void", "bytes", "size"],
  wasm_byte_vec_delete: ["void", "bytes"],
  wasm_config_new: ["address"],
  wasm_engine_new_with_config: ["address", "address"],
  wasm_exporttype_name: ["address", "address"],
  wasm_exporttype_type: ["address", "address"],
  wasm_exporttype_vec_delete: ["void", "bytes"],
  wasm_externtype_as_functype_const: ["address", "address"],
  wasm_externtype_as_globaltype_const: ["address", "address"],
  wasm_externtype_as_memorytype_const: ["address", "address"],
  wasm_externtype_as_tabletype_const: ["address", "address"],
  wasm_externtype_kind: ["u8", "address"],
  wasm_functype_copy: ["address", "address"],
  wasm_functype_delete: ["void", "address"],
  wasm_functype_new: ["address", "bytes", "bytes"],
  wasm_functype_params: ["address", "address"],
  wasm_functype_results: ["address", "address"],
  wasm_globaltype_content: ["address", "address"],
  wasm_globaltype_delete: ["void", "address"],
  wasm_globaltype_mutability: ["u8", "address"],
  wasm_globaltype_new: ["address", "address", "u8"],
  wasm_importtype_module: ["address", "address"],
  wasm_importtype_name: ["address", "address"],
  wasm_importtype_type: ["address", "address"],
  wasm_importtype_vec_delete: ["void", "bytes"],
  wasm_memorytype_delete: ["void", "address"],
  wasm_tabletype_delete: ["void", "address"],
  wasm_tabletype_element: ["address", "address"],
  wasm_tabletype_new: ["address", "address", "address"],
  wasm_trap_delete: ["void", "address"],
  wasm_trap_message: ["void", "address", "bytes"],
  wasm_valtype_vec_new: ["void", "bytes", "size", "bytes"],
  wasm_valtype_new: ["address", "u8"],
  wasmtime_config_consume_fuel_set: ["void", "address", "u8"],
  wasmtime_config_cranelift_nan_canonicalization_set: ["void", "address", "u8"],
  wasmtime_config_cranelift_opt_level_set: ["void", "address", "u8"],
  wasmtime_config_epoch_interruption_set: ["void", "address", "u8"],
  wasmtime_config_max_wasm_stack_set: ["void", "address", "size"],
  wasmtime_config_parallel_compilation_set: ["void", "address", "u8"],
  wasmtime_config_strategy_set: ["void", "address", "u8"],
  wasmtime_context_get_fuel: ["address", "address", "bytes"],
  wasmtime_context_set_epoch_deadline: ["void", "address", "size"],
  wasmtime_context_set_fuel: ["address", "address", "size"],
  wasmtime_engine_increment_epoch: ["void", "address"],
  wasmtime_error_delete: ["void", "address"],
  wasmtime_error_message: ["void", "address", "bytes"],
  wasmtime_externref_data: ["address", "address", "address"],
  wasmtime_externref_from_raw: ["void", "address", "u32", "address"],
  wasmtime_externref_new: ["u8", "address", "address", "address", "address"],
  wasmtime_externref_to_raw: ["u32", "address", "address"],
  wasmtime_externref_unroot: ["void", "address"],
  wasmtime_func_call_unchecked: ["address", "address", "address", "address", "address", "address"],
  wasmtime_func_from_raw: ["void", "address", "address", "address"],
  wasmtime_func_new_unchecked: ["void", "address", "address", "address", "address", "address", "address"],
  wasmtime_func_to_raw: ["address", "address", "address"],
  wasmtime_func_type: ["address", "address", "address"],
  wasmtime_global_get: ["void", "address", "address", "address"],
  wasmtime_global_new: ["address", "address", "address", "address", "address"],
  wasmtime_global_set: ["address", "address", "address", "address"],
  wasmtime_global_type: ["address", "address", "address"],
  wasmtime_instance_export_nth: ["u8", "address", "address", "size", "address", "address", "address"],
  wasmtime_instance_new: ["address", "address", "address", "address", "size", "address", "address"],
  wasmtime_memory_data: ["address", "address", "address"],
  wasmtime_memory_data_size: ["size", "address", "address"],
  wasmtime_memory_grow: ["address", "address", "address", "size", "address"],
  wasmtime_memory_new: ["address", "address", "address", "address"],
  wasmtime_memory_type: ["address", "address", "address"],
  wasmtime_memorytype_is64: ["u8", "address"],
  wasmtime_memorytype_isshared: ["u8", "address"],
  wasmtime_memorytype_new: ["address", "size", "u8", "size", "u8", "u8", "u8", "address"],
  wasmtime_module_delete: ["void", "address"],
  wasmtime_module_deserialize: ["address", "address", "bytes", "size", "bytes"],
  wasmtime_module_deserialize_file: ["address", "address", "bytes", "bytes"],
  wasmtime_module_exports: ["void", "address", "bytes"],
  wasmtime_module_imports: ["void", "address", "bytes"],
  wasmtime_module_new: ["address", "address", "bytes", "size", "bytes"],
  wasmtime_module_serialize: ["address", "address", "bytes"],
  wasmtime_store_context: ["address", "address"],
  wasmtime_store_delete: ["void", "address"],
  wasmtime_store_limiter: ["void", "address", "size", "size", "size", "size", "size"],
  wasmtime_store_new: ["address", "address", "address", "address"],
  wasmtime_table_get: ["u8", "address", "address", "size", "address"],
  wasmtime_table_grow: ["address", "address", "address", "size", "address", "address"],
  wasmtime_table_new: ["address", "address", "address", "address", "address"],
  wasmtime_table_set: ["address", "address", "address", "size", "address"],
  wasmtime_table_size: ["size", "address", "address"],
  wasmtime_table_type: ["address", "address", "address"],
  wasmtime_trap_code: ["u8", "address", "bytes"],
  wasmtime_trap_new: ["address", "bytes", "size"],
  wasmtime_val_unroot: ["void", "address"],
  wasmtime_valtype_delete: ["void", "address"],
  wasmtime_valtype_new: ["void", "address", "address"],
} as const satisfies Readonly<Record<string, Signature>>;

/** The functions. */
export type WasmtimeFunctions = NativeFunctions<typeof SIGNATURES>;

/** An opened library. */
export class Wasmtime {
  /** Its functions. */
  readonly c: WasmtimeFunctions;
  /** How it is called. */
  readonly ffi: Ffi;
  /** Null. */
  readonly null: Address;

  /**
   * Opens a library.
   *
   * @throws The runtime's own error, if this is not a library of Wasmtime.
   */
  constructor(ffi: Ffi, path: string) {
    this.ffi = ffi;
    this.c = ffi.open(path, SIGNATURES);
    this.null = ffi.address(0);
  }

  /** Copies the bytes out of a `wasm_byte_vec_t`, and frees it. */
  takeBytes(vec: BigUint64Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const [length, data] = vec;
    const bytes = length === 0n ? new Uint8Array() : new Uint8Array(this.view(data!, Number(length))).slice();
    this.c.wasm_byte_vec_delete(bytesOf(vec));
    return bytes;
  }

  /** The message of a `wasmtime_error_t`, which is freed. */
  takeMessage(error: Address): string {
    const vec = new BigUint64Array(2);
    this.c.wasmtime_error_message(error, bytesOf(vec));
    this.c.wasmtime_error_delete(error);
    return lineOf(fromUtf8(this.takeBytes(vec)));
  }

  /** Native memory as a buffer. */
  view(address: Address, byteLength: number): ArrayBuffer {
    return this.ffi.view(this.ffi.address(address), byteLength);
  }

  /** Allocates native memory; nothing frees it but {@linkcode Block.free}. */
  allocate(byteLength: number): Block {
    const vec = new BigUint64Array(2);
    this.c.wasm_byte_vec_new_uninitialized(bytesOf(vec), this.ffi.size(byteLength));
    // Addresses of user space are exact as numbers.
    const block = { address: Number(vec[1]), buffer: this.view(vec[1]!, byteLength) };
    return { ...block, free: () => this.c.wasm_byte_vec_delete(bytesOf(vec)) };
  }
}

/** A message of Wasmtime in one line: its causes are on lines of their own. */
function lineOf(message: string): string {
  return message.trim().replace(/\s*\n\s*Caused by:\s*\n?\s*/, ": ").replace(/\s*\n\s*/g, "; ");
}

/** Native memory that was allocated here. */
export interface Block {
  /** Its address. */
  readonly address: number;
  /** Its content, undefined at first. */
  readonly buffer: ArrayBuffer;
  /** Frees it: the buffer must not be used any more. */
  free(): void;
}

/** The bytes of numbers. */
export function bytesOf(numbers: BigUint64Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(numbers.buffer);
}
