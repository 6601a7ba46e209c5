// V8's own calls that serialize compiled modules and read them back. They check next to nothing: a wrong argument ends
// the process, so callers must check first.

import { builtin } from "../platform/node_builtins.ts";
import { native as runtime } from "../engine/runtime.ts";

// Programs may replace the globals, and V8's calls end the process when they get a stand-in.
const { Instance, Module, Table } = runtime;

/**
 * Calls one of V8's natives.
 *
 * The flag that allows their syntax is off again when the call begins, because V8 hashes its flags into artifacts. If
 * the user has switched it on, it stays on. The function is created anew each time, because V8 drops the bytecode of
 * unused functions and could not parse it again.
 */
function native(name: string, ...given: unknown[]): unknown {
  const names = given.map((_, i) => `argument${i}`);
  const make = () => builtin("node:vm").compileFunction(`return %${name}(${names.join()})`, names);
  return (attempt(make) ?? attempt(() => withSyntax(make)) ?? withSyntax(make))(...given);
}

/** The function, or nothing if natives are not valid syntax: another thread may switch the flag off in between. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if ((error as Error).name !== "SyntaxError") throw error;
  }
}

function withSyntax<T>(make: () => T): T {
  const { setFlagsFromString } = builtin("node:v8");
  setFlagsFromString("--allow-natives-syntax");
  try {
    return make();
  } finally {
    setFlagsFromString("--no-allow-natives-syntax");
  }
}

/** Creates an instance, whatever the program has done to the globals. */
export function instantiate(module: WebAssembly.Module, imports?: WebAssembly.Imports): WebAssembly.Instance {
  return new Instance(module, imports);
}

/** Whether reads and writes out of bounds are caught by the processor, as the code of an artifact may rely on. */
export function hasTrapHandler(): boolean {
  return native("IsWasmTrapHandlerEnabled") as boolean;
}

/**
 * Makes V8 optimize an exported function now.
 *
 * @returns Whether it did: without one optimized function {@linkcode serialize} ends the process.
 * @throws {TypeError} When it is not a function of WebAssembly.
 */
export function optimize(exported: unknown): boolean {
  new Table({ element: "anyfunc", initial: 1 }).set(0, exported as CallableFunction);
  native("WasmTierUpFunction", exported);
  return native("IsTurboFanFunction", exported) as boolean;
}

/**
 * Serializes the optimized code of a module, which must have some.
 *
 * @throws {TypeError} When it is not a module.
 */
export function serialize(module: WebAssembly.Module): Uint8Array<ArrayBuffer> {
  Module.exports(module);
  return new Uint8Array(native("SerializeWasmModule", module) as ArrayBuffer);
}

/**
 * Reads a module back.
 *
 * @param artifact Result of {@linkcode serialize} for the same code, V8, flags and processor.
 * @returns The module, or `undefined` if V8 finds that it does not fit.
 */
export function deserialize(
  artifact: Uint8Array<ArrayBuffer>,
  code: Uint8Array<ArrayBuffer>,
): WebAssembly.Module | undefined {
  const isWhole = artifact.byteLength === artifact.buffer.byteLength;
  const buffer = isWhole ? artifact.buffer : artifact.slice().buffer;
  const read = () => native("DeserializeWasmModule", buffer, code) as WebAssembly.Module | undefined;
  // Another thread may have had its flag on just then; V8 has looked at no more than the header where it refuses.
  return read() ?? read();
}
