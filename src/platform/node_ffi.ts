// Loads `node:ffi`, which Node has from 26 on.

import { builtin, nodeProcess } from "./node_builtins.ts";

/** Whether Node has it, and may use it. */
export function hasNodeFfi(): boolean {
  return builtin("node:module").isBuiltin("node:ffi") && (nodeProcess().permission?.has("ffi") ?? true);
}

/** Loads it without the ExperimentalWarning, which the program's users cannot act on. */
export function nodeFfi<T>(): T {
  const process = nodeProcess();
  const { emitWarning } = process;
  process.emitWarning = (...given) => {
    if (given[1] !== "ExperimentalWarning") emitWarning.apply(process, given);
  };
  try {
    return process.getBuiltinModule("node:ffi") as T;
  } finally {
    process.emitWarning = emitWarning;
  }
}
