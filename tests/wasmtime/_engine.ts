// Engines and modules for the tests of the Wasmtime engine.

import { type InstanceOptions, type NativeEngine, type NativeInstance, wasmtime } from "@wasm/module-cache/wasmtime";
import type { WasmtimeOptions } from "@wasm/module-cache/wasmtime";
import wabt from "wabt";
import { library, skip } from "./_library.ts";

/** Where these tests cannot run, with the reason. */
export const native: { skip: string | false } = { skip };

/** An engine. */
export function engineWith(options: WasmtimeOptions = {}): NativeEngine {
  return wasmtime({ library, ...options });
}

const loaded = wabt();

/** Code of a text. */
export async function codeOf(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const module = (await loaded).parseWat("test.wat", text, FEATURES);
  try {
    return Uint8Array.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

const FEATURES = Object.fromEntries(
  ["reference_types", "multi_value", "bulk_memory", "mutable_globals", "simd"].map((name) => [name, true]),
);

/** Imports of an instance. */
export type Imports = Record<string, Record<string, unknown>>;

/** An instance of a text, by either compiler. */
export async function instanceOf(
  text: string,
  { imports = {}, engine = engineWith(), options = {}, isBest = true }: {
    imports?: Imports;
    engine?: NativeEngine;
    options?: InstanceOptions;
    isBest?: boolean;
  } = {},
): Promise<NativeInstance> {
  const code = await codeOf(text);
  const module = await (isBest ? engine.thorough! : engine).compile(code);
  return engine.instantiate(module, imports, options);
}

/** The code of what a call throws. */
export function trapOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error instanceof WebAssembly.RuntimeError ? (error as { code?: string }).code : error;
  }
  return "nothing";
}
