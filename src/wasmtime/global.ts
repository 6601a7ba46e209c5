// Globals, as `WebAssembly.Global` has them.

import { objectOf } from "./descriptors.ts";
import type { Slot } from "./native_memory.ts";
import { Objects } from "./objects.ts";
import type { Store } from "./store.ts";
import type { GlobalType, Kind } from "./types.ts";
import { valFrom, withVal } from "./val.ts";
import { checkTypes } from "./values.ts";

/** A global. */
export interface NativeGlobal {
  /**
   * Its value; an i64 is a bigint. To set a global that is not mutable is a `TypeError`.
   */
  value: unknown;
  /** Returns its value. */
  valueOf(): unknown;
}

/** Class of globals. */
export interface NativeGlobalClass {
  /** Makes a global. */
  new (
    descriptor: { value: "i32" | "i64" | "f32" | "f64" | "externref" | "anyfunc"; mutable?: boolean },
    value?: unknown,
  ): NativeGlobal;
  /** Prototype of globals. */
  readonly prototype: NativeGlobal;
}

/** Types of values, by what descriptors call them, with their number in `wasm.h` and their default. */
const VALUES: Readonly<Record<string, readonly [Kind, number, unknown]>> = {
  i32: ["i32", 0, 0],
  i64: ["i64", 1, 0n],
  f32: ["f32", 2, 0],
  f64: ["f64", 3, 0],
  externref: ["externref", 128, undefined],
  anyfunc: ["funcref", 129, null],
};

/** A global of a store. */
export class GlobalState {
  /** Where it lives. */
  readonly store: Store;
  /** Its `wasmtime_global_t`. */
  readonly slot: Slot;
  readonly #type: GlobalType;

  /** Takes a global over. */
  constructor(store: Store, slot: Slot) {
    const { types, wasmtime: { c } } = store.engine.machine;
    this.store = store;
    this.slot = slot;
    this.#type = types.takeGlobalType(c.wasmtime_global_type(store.context, slot.address));
  }

  /** Its value. */
  get value(): unknown {
    const { content } = this.#type;
    const context = this.store.checked();
    checkTypes([content]);
    return valFrom(this.store, content, ({ address }) => {
      this.store.engine.machine.wasmtime.c.wasmtime_global_get(context, this.slot.address, address);
    });
  }

  /** Sets its value. */
  set value(value: unknown) {
    const { content, isMutable } = this.#type;
    const context = this.store.checked();
    if (!isMutable) throw new TypeError("Cannot set global: it is not mutable");
    const { wasmtime } = this.store.engine.machine;
    const error = withVal(this.store, content, value, ({ address }) => {
      return wasmtime.c.wasmtime_global_set(context, this.slot.address, address);
    });
    if (error) throw new TypeError(`Cannot set global: ${wasmtime.takeMessage(error)}`);
  }
}

/** All globals. */
export const globals: Objects<GlobalState> = new Objects(
  "global",
  0xffff_ffff_ffff_ffffn,
  (store, slot) => new GlobalState(store, slot),
);

/** Makes a class of globals that are made in the stores given. */
export function globalClass(place: () => Store): NativeGlobalClass {
  return class Global {
    constructor(descriptor: { value: string; mutable?: boolean }, value?: unknown) {
      makeGlobal(this, place, descriptor, value);
    }

    get value(): unknown {
      return globals.stateOf(this).value;
    }

    set value(value: unknown) {
      globals.stateOf(this).value = value;
    }

    valueOf(): unknown {
      return this.value;
    }

    get [Symbol.toStringTag](): string {
      return "WebAssembly.Global";
    }
  };
}

/**
 * Makes a global of an object.
 *
 * @throws {TypeError} When the descriptor or value is invalid.
 */
export function makeGlobal(
  global: object,
  place: () => Store,
  descriptor: { value?: unknown; mutable?: unknown },
  value: unknown,
): void {
  const { mutable, value: name } = objectOf("global", descriptor) as { mutable?: unknown; value?: unknown };
  const type = Object.hasOwn(VALUES, String(name)) ? VALUES[String(name)] : undefined;
  if (!type) throw new TypeError(`Cannot make global: its value cannot be "${name}"`);
  make(global, place(), type, Boolean(mutable), value === undefined ? type[2] : value);
}

/** Makes a global of a number that a module imports: the standard allows that where it is not mutable. */
export function globalOfNumber(store: Store, { content }: GlobalType, value: unknown): GlobalState {
  const global = Object.create(store.engine.links.prototypes.global);
  make(global, store, VALUES[content.kind]!, false, value);
  return globals.stateOf(global);
}

function make(
  global: object,
  store: Store,
  [kind, number]: readonly [Kind, number, unknown],
  isMutable: boolean,
  value: unknown,
): void {
  const { machine: { slots, wasmtime } } = store.engine;
  const { c } = wasmtime;
  withVal(store, { kind, isNullable: true }, value, ({ address }) =>
    slots.with((slot) => {
      const type = c.wasm_globaltype_new(c.wasm_valtype_new(number), isMutable ? 1 : 0);
      const error = c.wasmtime_global_new(store.context, type, address, slot.address);
      c.wasm_globaltype_delete(type);
      if (error) throw new RangeError(`Cannot make global: ${wasmtime.takeMessage(error)}`);
      globals.bind(global, store, slot.words);
    }));
}
