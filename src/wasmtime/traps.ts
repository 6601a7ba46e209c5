// What Wasmtime's traps are called here. The messages are Wasmtime's own, without its backtrace.

/** Name of what ended a call, in the property `code` of the error. */
export type TrapCode =
  | "ALLOCATION_TOO_LARGE"
  | "ARRAY_OUT_OF_BOUNDS"
  | "BAD_CONVERSION_TO_INTEGER"
  | "BAD_SIGNATURE"
  | "CAST_FAILURE"
  | "DEADLINE"
  | "FUEL"
  | "HEAP_MISALIGNED"
  | "INDIRECT_CALL_TO_NULL"
  | "INTEGER_DIVISION_BY_ZERO"
  | "INTEGER_OVERFLOW"
  | "MEMORY_OUT_OF_BOUNDS"
  | "NULL_REFERENCE"
  | "OTHER"
  | "STACK_OVERFLOW"
  | "TABLE_OUT_OF_BOUNDS"
  | "UNCAUGHT_EXCEPTION"
  | "UNREACHABLE";

/** By number. */
const TRAPS: Readonly<Record<number, readonly [TrapCode, string]>> = {
  0: ["STACK_OVERFLOW", "call stack exhausted"],
  1: ["MEMORY_OUT_OF_BOUNDS", "out of bounds memory access"],
  2: ["HEAP_MISALIGNED", "unaligned atomic"],
  3: ["TABLE_OUT_OF_BOUNDS", "undefined element: out of bounds table access"],
  4: ["INDIRECT_CALL_TO_NULL", "uninitialized element"],
  5: ["BAD_SIGNATURE", "indirect call type mismatch"],
  6: ["INTEGER_OVERFLOW", "integer overflow"],
  7: ["INTEGER_DIVISION_BY_ZERO", "integer divide by zero"],
  8: ["BAD_CONVERSION_TO_INTEGER", "invalid conversion to integer"],
  9: ["UNREACHABLE", "unreachable executed"],
  10: ["DEADLINE", "the deadline has passed"],
  11: ["FUEL", "all fuel consumed"],
  13: ["NULL_REFERENCE", "null reference"],
  14: ["ARRAY_OUT_OF_BOUNDS", "out of bounds array access"],
  15: ["ALLOCATION_TOO_LARGE", "allocation size too large"],
  16: ["CAST_FAILURE", "cast failure"],
  49: ["UNCAUGHT_EXCEPTION", "uncaught exception"],
};

/** A trap. */
export interface Trap extends WebAssembly.RuntimeError {
  /** What it was. */
  readonly code: TrapCode;
}

/**
 * Makes the error of a trap.
 *
 * @param number Wasmtime's number of the trap; absent if it has none.
 * @param text What Wasmtime says of it.
 */
export function trapOf(RuntimeError: typeof WebAssembly.RuntimeError, number: number | undefined, text: string): Trap {
  const [code, message] = TRAPS[number ?? -1] ?? ["OTHER", text.trim().split("\n").at(-1)!.replace(/^\s*\d+: /, "")];
  return Object.assign(new RuntimeError(message), { code });
}
