// What takes the place of the `WebAssembly` namespace's members, so that programs run by Wasmtime unchanged. Knows no
// cache: whoever loads it looks modules up.

import type { Bytes } from "../../engine/calls.ts";
import { sectionsOf } from "../../engine/binary.ts";
import { native } from "../../engine/runtime.ts";
import { type NativeEngine, nativeEngine, wasmtime } from "../engine.ts";
import { moduleState, type NativeModule } from "../module.ts";
import type { Space } from "../space.ts";
import type { ExternType } from "../types.ts";
import type { Replacement } from "./bridge.ts";
import { FacadeInstances } from "./instances.ts";
import { moduleReplacements, nativeModuleOf, presented, remembered, smallModule } from "./modules.ts";
import { FacadeObjects } from "./objects.ts";

export { native } from "../../engine/runtime.ts";
export type { Replacement } from "./bridge.ts";

/** A façade of the namespace. */
export interface Facade {
  /** Compiles modules. */
  readonly engine: NativeEngine;
  /** What is to be replaced, besides the calls that compile. */
  readonly replacements: readonly Replacement[];
  /**
   * Checks code before it is compiled.
   *
   * @throws {WebAssembly.CompileError} When its modules cannot run as the runtime's do.
   */
  check(code: Bytes): void;
  /**
   * An object of the runtime's class for a module.
   *
   * @throws {WebAssembly.CompileError} When it cannot run as the runtime's do.
   */
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
    engine,
    replacements: [...objects.replacements(), ...instances.replacements(), ...moduleReplacements()],
    check: checkSections,
    presented: (module) => presented(checked(module)),
    isNative: (module) => nativeModuleOf(module) !== undefined,
    small: (code) => small(space, code),
    remembered,
    instantiate: (module, imports) => instances.instantiate(module, imports),
  };
}

function small(space: Space, code: Bytes): WebAssembly.Module | undefined {
  try {
    checkSections(code);
    const module = smallModule(space, code);
    return module && presented(checked(module));
  } catch (error) {
    if (error instanceof native.CompileError) return undefined;
    throw error;
  }
}

/** Longest code that the standard allows, bytes. */
const MAX_CODE_BYTES = 1024 ** 3;

/** Exceptions that leave a module are objects of the runtime's, and those of JavaScript must be caught in it. */
function checkSections(code: Bytes): void {
  if (code.length > MAX_CODE_BYTES) throw new native.CompileError("it is too long");
  for (const { id } of sectionsOf(code)) {
    if (id === TAG_SECTION) throw new native.CompileError("Wasmtime's exceptions are not those of JavaScript");
  }
}

const TAG_SECTION = 13;

function checked(module: NativeModule): NativeModule {
  const { forms, typesOf } = moduleState(module);
  const { exports, imports } = typesOf(forms[0]!);
  for (const { name, type } of [...imports, ...exports]) {
    if (!isPassed(type)) throw new native.CompileError(`"${name}" is of a kind that Wasmtime cannot pass`);
  }
  return module;
}

/** Whether JavaScript can have it: no tags, shared memories, and references of newer kinds. */
function isPassed(type: ExternType): boolean {
  switch (type.kind) {
    case "function":
      return [...type.parameters, ...type.results].every(({ kind }) => kind !== "other");
    case "table":
      return type.element.kind !== "other";
    case "global":
      return type.content.kind !== "other";
    case "memory":
      return !type.isShared && !type.is64;
    case "tag":
      return false;
  }
}
