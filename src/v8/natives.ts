// V8's own calls that write compiled modules down and read them back. They check next to nothing: a wrong argument ends
// the process, so that whoever calls has checked before.

import { builtin } from "../platform/node_files.ts";

/**
 * Calls one of V8's natives.
 *
 * The flag that allows their syntax is off again when the call begins: V8 hashes its flags into artifacts. The function is
 * made anew each time, for V8 drops the bytecode of functions that are not used and could not parse it again.
 */
function native(name: string, ...given: unknown[]): unknown {
  const { setFlagsFromString } = builtin("node:v8");
  const names = given.map((_, i) => `argument${i}`);
  let call;
  setFlagsFromString("--allow-natives-syntax");
  try {
    call = builtin("node:vm").compileFunction(`return %${name}(${names.join()})`, names);
  } finally {
    setFlagsFromString("--no-allow-natives-syntax");
  }
  return call(...given);
}

/** Whether reads and writes out of bounds are caught by the processor, as the code of an artifact may rely on. */
export function hasTrapHandler(): boolean {
  return native("IsWasmTrapHandlerEnabled") as boolean;
}

/**
 * Has V8 optimize an exported function now.
 *
 * @returns Whether it did: without one optimized function {@linkcode serialize} ends the process.
 */
export function optimize(exported: CallableFunction): boolean {
  native("WasmTierUpFunction", exported);
  return native("IsTurboFanFunction", exported) as boolean;
}

/** Writes down the optimized code of a module. It must have some. */
export function serialize(module: WebAssembly.Module): Uint8Array<ArrayBuffer> {
  return new Uint8Array(native("SerializeWasmModule", module) as ArrayBuffer);
}

/**
 * Reads a module back.
 *
 * @param artifact What {@linkcode serialize} gave for this very code, on this V8 with these flags and this processor.
 * @returns The module, or `undefined` where V8 sees that it does not fit.
 */
export function deserialize(
  artifact: Uint8Array<ArrayBuffer>,
  code: Uint8Array<ArrayBuffer>,
): WebAssembly.Module | undefined {
  const isWhole = artifact.byteLength === artifact.buffer.byteLength;
  return native("DeserializeWasmModule", isWhole ? artifact.buffer : artifact.slice().buffer, code) as
    | WebAssembly.Module
    | undefined;
}
