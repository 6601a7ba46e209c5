// Modules of a façade: objects of the runtime's class that stand for native modules, and what is known of modules that
// the runtime compiled.

import type { Bytes } from "../../engine/calls.ts";
import { native } from "../../engine/runtime.ts";
import { importsState, NativeModule } from "../module.ts";
import type { Space } from "../space.ts";
import { bridged, type Replacement } from "./bridge.ts";

const natives = new WeakMap<object, NativeModule>();
/** Code of small modules that the runtime compiled. */
const codes = new WeakMap<object, Bytes>();

/** Most bytes of code that is remembered. */
const MAX_REMEMBERED_BYTES = 64 * 1024;

/** An object of the runtime's class for a module. A proxy cannot be cloned: workers would get an empty object. */
export function presented(module: NativeModule): WebAssembly.Module {
  const object = new Proxy(Object.create(native.Module.prototype), {});
  natives.set(object, module);
  return object;
}

/** The native module that an object stands for. */
export function nativeModuleOf(value: unknown): NativeModule | undefined {
  return typeof value === "object" && value !== null ? natives.get(value) : undefined;
}

/** Code of a module that the runtime compiled, if it is remembered. */
export function codeOf(module: object): Bytes | undefined {
  return codes.get(module);
}

/** Remembers the code of a module that the runtime compiled. Returns the module. */
export function remembered(module: WebAssembly.Module, code: Bytes): WebAssembly.Module {
  if (code.length <= MAX_REMEMBERED_BYTES) codes.set(module, code.slice());
  return module;
}

/** A module for which no lookup pays: native if it is to work on what others have made. */
export function smallModule(space: Space, code: Bytes): NativeModule | undefined {
  return importsState(code) ? space.compile(code.slice()) : undefined;
}

/** What is replaced. */
export function moduleReplacements(): Replacement[] {
  const own = Object.getOwnPropertyDescriptors(NativeModule) as unknown as Record<string, PropertyDescriptor>;
  return bridged(native.Module, (name, _self, [module, ...given]) => {
    const found = nativeModuleOf(module);
    const call = own[name]?.value as ((...given: unknown[]) => unknown) | undefined;
    return found && { value: () => call!(found, ...given) };
  });
}
