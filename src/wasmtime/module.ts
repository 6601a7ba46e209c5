// Modules: what a user holds, and the compiled forms behind it.

import { describe } from "../bytes.ts";
import { Reader, sectionsOf } from "../engine/binary.ts";
import type { Bytes } from "../engine/calls.ts";
import type { Compiled } from "./compiler.ts";
import type { ModuleTypes } from "./types.ts";

/** An import or export of a module. */
export interface NativeExport {
  /** Its name. */
  readonly name: string;
  /** What it is. */
  readonly kind: "function" | "table" | "memory" | "global" | "tag";
}

/** An import of a module. */
export interface NativeImport extends NativeExport {
  /** Name of the module that it is imported from. */
  readonly module: string;
}

/** What is behind a module. */
export interface ModuleState {
  /** Its compiled forms, the best first. */
  readonly forms: Compiled[];
  /** Its code; absent if only its digest is known. */
  readonly code?: Bytes;
  /** What a compiled form imports and exports. */
  readonly typesOf: (form: Compiled) => ModuleTypes;
}

const states = new WeakMap<object, ModuleState>();

/** A module that Wasmtime has compiled. Engines make them; `engine.instantiate` takes them. */
export class NativeModule {
  /** Not for callers: engines make modules. */
  private constructor() {
    throw new TypeError("Cannot make module: compile it by a cache or an engine");
  }

  /** Name of the class. */
  get [Symbol.toStringTag](): string {
    return "WebAssembly.Module";
  }

  /** As `WebAssembly.Module.exports`. */
  static exports(module: NativeModule): NativeExport[] {
    return typesOf(module).exports.map(({ name, type: { kind } }) => ({ name, kind }));
  }

  /** As `WebAssembly.Module.imports`. */
  static imports(module: NativeModule): NativeImport[] {
    return typesOf(module).imports.map(({ module, name, type: { kind } }) => ({ module, name, kind }));
  }

  /**
   * As `WebAssembly.Module.customSections`.
   *
   * @throws {TypeError} When the module was looked up by its digest alone: the sections are in the code.
   */
  static customSections(module: NativeModule, sectionName: string): ArrayBuffer[] {
    if (sectionName === undefined) throw new TypeError("Cannot find custom sections: no name was given");
    const { code } = moduleState(module);
    if (!code) throw new TypeError("Cannot find custom sections: the module's code is not known");
    const name = `${sectionName}`;
    return [...sectionsOf(code)].flatMap(({ id, from, to }) => {
      const reader = new Reader(code, from);
      return id === 0 && reader.name() === name ? [code.slice(reader.at, to).buffer] : [];
    });
  }
}

/** Makes a module. */
export function makeModule(state: ModuleState): NativeModule {
  // A proxy, because it must not be cloned for another thread: an object would be, to an empty one.
  const module = new Proxy(Object.create(NativeModule.prototype), {});
  states.set(module, state);
  return module;
}

/**
 * What is behind a module.
 *
 * @throws {TypeError} When it is something else.
 */
export function moduleState(module: unknown): ModuleState {
  const state = typeof module === "object" && module !== null ? states.get(module) : undefined;
  if (!state) throw new TypeError(`Cannot use module: not a NativeModule but ${describe(module)}`);
  return state;
}

function typesOf(module: unknown): ModuleTypes {
  const { forms, typesOf } = moduleState(module);
  return typesOf(forms[0]!);
}

/** Whether code imports a memory, table or global: then it is instantiated beside others, whose compiler counts. */
export function importsState(code: Bytes): boolean {
  for (const { id, from, to } of sectionsOf(code)) {
    if (id !== IMPORT_SECTION) continue;
    const reader = new Reader(code, from);
    // It may not be valid: then a number in it may be anything.
    for (let left = reader.number(); left > 0 && reader.at < to; left--) {
      reader.name();
      reader.name();
      if (reader.byte() !== FUNCTION) return true;
      reader.number();
    }
  }
  return false;
}

const [IMPORT_SECTION, FUNCTION] = [2, 0];
