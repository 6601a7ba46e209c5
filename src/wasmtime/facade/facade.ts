// What takes the place of the `WebAssembly` namespace's members, so that programs run by Wasmtime unchanged. Knows no
// cache: whoever loads it looks modules up.

import type { Bytes } from "../../engine/calls.ts";
import { native } from "../../engine/runtime.ts";
import { type NativeEngine, nativeEngine, wasmtime } from "../engine.ts";
import { moduleState, type NativeModule } from "../module.ts";
import type { Space } from "../space.ts";
import type { Replacement } from "./bridge.ts";
import { FacadeInstances } from "./instances.ts";
import { moduleReplacements, nativeModuleOf, presented, remembered, smallModule } from "./modules.ts";
import { FacadeObjects } from "./objects.ts";

export { native } from "../../engine/runtime.ts";
export type { Replacement } from "./bridge.ts";

/** A façade of the namespace. */
export interface Facade {
  /** Compiles modules. Refuses, by a `WebAssembly.CompileError`, what cannot be run as the runtime does. */
  readonly engine: NativeEngine;
  /** What is to be replaced, besides the calls that compile. */
  readonly replacements: readonly Replacement[];
  /** An object of the runtime's class for a module. */
  presented(module: NativeModule): WebAssembly.Module;
  /** Whether an object stands for a native module. */
  isNative(module: unknown): boolean;
  /** A module for which no lookup pays, if it should be native nevertheless. */
  small(code: Bytes): WebAssembly.Module | undefined;
  /** Hears of a module that the runtime compiled. Returns it. */
  remembered(module: WebAssembly.Module, code: Bytes): WebAssembly.Module;
  /** `WebAssembly.instantiate` of any module. */
  instantiate(module: unknown, imports: unknown): Promise<WebAssembly.Instance>;
}

/** Makes a façade. Returns a text that says why there is none. */
export function makeFacade(): Facade | string {
  const { available, reason } = wasmtime.available();
  if (!available) return reason!;
  const prototypes = {
    memory: native.Memory.prototype,
    table: native.Table.prototype,
    global: native.Global.prototype,
  };
  const { engine, space } = nativeEngine({}, prototypes);
  const objects = new FacadeObjects(space);
  const instances = new FacadeInstances(space, objects);
  return {
    engine: choosy(engine),
    replacements: [...objects.replacements(), ...instances.replacements(), ...moduleReplacements()],
    presented,
    isNative: (module) => nativeModuleOf(module) !== undefined,
    small: (code) => small(space, code),
    remembered,
    instantiate: (module, imports) => instances.instantiate(module, imports),
  };
}

function small(space: Space, code: Bytes): WebAssembly.Module | undefined {
  try {
    const module = smallModule(space, code);
    return module && presented(served(module));
  } catch (error) {
    if (error instanceof native.CompileError) return undefined;
    throw error;
  }
}

/** The engine, without modules that have to do with what only the runtime can do. */
function choosy(engine: NativeEngine): NativeEngine {
  return {
    ...engine,
    compile: async (code) => served(await engine.compile(code)),
    compileSync: (code) => served(engine.compile(code) as NativeModule),
  };
}

function served(module: NativeModule): NativeModule {
  const { forms, typesOf } = moduleState(module);
  const { exports, imports } = typesOf(forms[0]!);
  for (const { name, type } of [...imports, ...exports]) {
    const isShared = type.kind === "memory" && type.isShared;
    if (!isShared && type.kind !== "tag") continue;
    throw new native.CompileError(`"${name}" is a ${isShared ? "shared memory" : "tag"}`);
  }
  return module;
}
