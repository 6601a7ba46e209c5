// Instances: imports in, exports out.

import { describe } from "../bytes.ts";
import { native } from "../engine/runtime.ts";
import { adopt, exportedFunction } from "./functions.ts";
import { globalOfNumber, globals } from "./global.ts";
import { hostFunction } from "./host_functions.ts";
import { memories } from "./memory.ts";
import { type Slot, SLOT_BYTES } from "./native_memory.ts";
import { type AnyFunction, functionStateOf, type Store } from "./store.ts";
import { tables } from "./table.ts";
import type { ExternType, FunctionType, ImportType, ModuleTypes } from "./types.ts";
import { isNumber } from "./values.ts";
import type { Compiled } from "./compiler.ts";

/** Kinds of externs, by `wasmtime_extern_kind_t`. */
const EXTERN_KINDS = { function: 0, global: 1, table: 2, memory: 3, tag: 5 } as const;

/** What a module is given, in the order of its imports. */
export interface Given {
  /** What is imported. */
  readonly type: ImportType;
  /** What is given for it. */
  readonly value: unknown;
}

/**
 * Reads what a module imports from an object, in the standard's order.
 *
 * @throws {TypeError} When the object lacks a module.
 */
export function readImports<T extends { module: string; name: string }>(
  imports: readonly T[],
  from: unknown,
): { type: T; value: unknown }[] {
  if (imports.length > 0 && !isObject(from)) {
    throw new TypeError(`Cannot instantiate: imports must be an object, not ${describe(from)}`);
  }
  return imports.map((type) => {
    const module = (from as Record<string, unknown>)[type.module];
    if (!isObject(module)) {
      throw new TypeError(`Cannot instantiate: import "${type.module}" must be an object, not ${describe(module)}`);
    }
    return { type, value: (module as Record<string, unknown>)[type.name] };
  });
}

function isObject(value: unknown): value is object {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}

/** The stores of memories, tables and globals among what is given, and those of functions, which any store can call. */
export function storesOf(given: readonly Given[]): { needed: Set<Store>; functions: Set<Store> } {
  const [needed, functions] = [new Set<Store>(), new Set<Store>()];
  for (const { value } of given) {
    const state = memories.find(value) ?? tables.find(value) ?? globals.find(value);
    if (state) needed.add(state.store);
    const called = functionStateOf(value);
    if (called && !called.store.isDisposed) functions.add(called.store);
  }
  return { needed, functions };
}

/**
 * Instantiates a module in a store.
 *
 * @returns Its exports.
 * @throws {WebAssembly.LinkError} When what is given is not what is imported.
 * @throws {WebAssembly.RuntimeError} When its start function traps.
 * @throws {RangeError} When there is no room for it.
 */
export function instantiateIn(
  store: Store,
  { address }: Compiled,
  types: ModuleTypes,
  given: readonly Given[],
): Record<string, unknown> {
  const { machine } = store.engine;
  const { slots, stack, wasmtime } = machine;
  const { c, ffi } = wasmtime;
  const context = store.checked();
  const externs = given.map((each) => externOf(store, each));
  const block = wasmtime.allocate(SLOT_BYTES * Math.max(externs.length, 1));
  try {
    const words = new BigUint64Array(block.buffer);
    externs.forEach(([kind, slot], i) => {
      words[4 * i] = BigInt(EXTERN_KINDS[kind]);
      words.set(slot.words.subarray(0, 3), 4 * i + 1);
    });
    return slots.with((instance) => {
      const error = store.run(() => {
        const list = [ffi.address(block.address), ffi.size(externs.length)] as const;
        return c.wasmtime_instance_new(context, address, ...list, instance.address, stack.trapAddress);
      });
      if (stack.i64[0] !== 0n || (error && machine.hasThrown)) machine.fail(error);
      if (error) throw linkError(wasmtime.takeMessage(error), given);
      return exportsOf(store, instance, types);
    });
  } finally {
    block.free();
  }
}

/** What was given must have been wrong, unless anything would have been right. */
function linkError(message: string, given: readonly Given[]): Error {
  const mayMismatch = given.some(({ value }) => typeof value === "object" || functionStateOf(value));
  const text = `Cannot instantiate: ${message}`;
  return mayMismatch ? new native.LinkError(text) : new RangeError(text);
}

type Extern = readonly [kind: keyof typeof EXTERN_KINDS, slot: Slot];

function externOf(store: Store, { type: { module, name, type }, value }: Given): Extern {
  const refuse = (why: string): never => {
    throw new native.LinkError(`Cannot instantiate: import "${module}" "${name}" ${why}`);
  };
  switch (type.kind) {
    case "function":
      return typeof value === "function"
        ? [type.kind, functionSlot(store, value as AnyFunction, type)]
        : refuse(`must be a function, not ${describe(value)}`);
    case "memory":
      if (type.isShared) refuse("is a shared memory, which is not supported");
      return [
        type.kind,
        memories.find(value)?.slot ?? refuse(`must be a memory of this engine, not ${describe(value)}`),
      ];
    case "table":
      return [type.kind, tables.find(value)?.slot ?? refuse(`must be a table of this engine, not ${describe(value)}`)];
    case "global": {
      const isRight = !type.isMutable && isNumber(type.content) &&
        typeof value === (type.content.kind === "i64" ? "bigint" : "number");
      const state = globals.find(value) ??
        (isRight || isReference(type) ? globalOfNumber(store, type, value) : undefined);
      return [type.kind, state?.slot ?? refuse(`must be a global of this engine, not ${describe(value)}`)];
    }
    case "tag":
      return refuse("is a tag, which is not supported");
  }
}

function isReference({ isMutable, content }: Extract<ExternType, { kind: "global" }>): boolean {
  return !isMutable && content.kind.endsWith("ref");
}

function functionSlot(store: Store, value: AnyFunction, type: FunctionType): Slot {
  const state = functionStateOf(value);
  if (!state) return hostFunction(store, value, type);
  return state.store === store ? state.slot : adopt(store, value).slot;
}

function exportsOf(store: Store, instance: Slot, { exports }: ModuleTypes): Record<string, unknown> {
  const { machine: { slots, stack, wasmtime: { c, ffi } } } = store.engine;
  const made: Record<string, unknown> = Object.create(null);
  exports.forEach(({ name: exported, type }, i) => {
    slots.with((extern) =>
      stack.with(32, (offset, nameOf) => {
        const name = [nameOf, stack.addressAt(offset + 16)] as const;
        c.wasmtime_instance_export_nth(store.context, instance.address, ffi.size(i), ...name, extern.address);
        made[exported] = objectOf(store, extern.words.subarray(1), type);
      })
    );
  });
  return Object.freeze(made);
}

function objectOf(store: Store, words: BigUint64Array, type: ExternType): unknown {
  const { prototypes } = store.engine.links;
  switch (type.kind) {
    case "function":
      return exportedFunction(store, words, type);
    case "memory":
      if (type.isShared) throw new TypeError("Cannot instantiate: shared memories are not supported");
      return memories.objectOf(store, words, prototypes.memory);
    case "table":
      return tables.objectOf(store, words, prototypes.table);
    case "global":
      return globals.objectOf(store, words, prototypes.global);
    case "tag":
      // Nothing can be done with it but to pass it on, which is refused.
      return Object.freeze(Object.create(null));
  }
}
