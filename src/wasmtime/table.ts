// Tables, as `WebAssembly.Table` has them.

import { limitsOf, objectOf, unsignedLong } from "./descriptors.ts";
import type { Slot } from "./native_memory.ts";
import { LOW, Objects } from "./objects.ts";
import type { Store } from "./store.ts";
import type { Kind, ValueType } from "./types.ts";
import { valFrom, withVal } from "./val.ts";

/** A table. */
export interface NativeTable {
  /** How many elements it has. */
  readonly length: number;
  /**
   * Returns an element.
   *
   * @throws {RangeError} When there is none of that index.
   */
  get(index: number): unknown;
  /**
   * Sets an element.
   *
   * @param value An exported function or null; any value in a table of externref. Absent: null, or `undefined`.
   * @throws {RangeError} When there is none of that index.
   */
  set(index: number, value?: unknown): void;
  /**
   * Grows it.
   *
   * @param value What new elements are.
   * @returns How many elements it had before.
   * @throws {RangeError} When it cannot grow so much.
   */
  grow(delta: number, value?: unknown): number;
}

/** Class of tables. */
export interface NativeTableClass {
  /** Makes a table. */
  new (
    descriptor: { element: "anyfunc" | "externref"; initial: number; maximum?: number },
    value?: unknown,
  ): NativeTable;
  /** Prototype of tables. */
  readonly prototype: NativeTable;
}

/** Types of elements, by what descriptors call them, with their number in `wasm.h`. */
const ELEMENTS: Readonly<Record<string, readonly [Kind, number]>> = {
  anyfunc: ["funcref", 129],
  externref: ["externref", 128],
};

/** Most elements that an implementation may allow. */
const MAX_ELEMENTS = 10_000_000;

/** What `wasm_limits_t` has where there is no maximum. */
const NO_MAXIMUM = 0xffff_ffff;

/** A table of a store. */
export class TableState {
  /** Where it lives. */
  readonly store: Store;
  /** Its `wasmtime_table_t`. */
  readonly slot: Slot;
  /** Type of its elements. */
  readonly #element: ValueType;

  /** Takes a table over. */
  constructor(store: Store, slot: Slot) {
    const { types, wasmtime: { c } } = store.engine.machine;
    this.store = store;
    this.slot = slot;
    this.#element = types.takeTableType(c.wasmtime_table_type(store.context, slot.address)).element;
  }

  /** How many elements it has. */
  get length(): number {
    return Number(this.#c.wasmtime_table_size(this.store.checked(), this.slot.address));
  }

  /** An element. */
  get(index: number): unknown {
    this.#check(index);
    const { machine: { wasmtime: { ffi } } } = this.store.engine;
    return valFrom(this.store, this.#element, (slot) => {
      this.#c.wasmtime_table_get(this.store.context, this.slot.address, ffi.size(index), slot.address);
    });
  }

  /** Sets an element. */
  set(index: number, given: readonly unknown[]): void {
    this.#check(index);
    const { machine } = this.store.engine;
    const error = withVal(this.store, this.#element, valueOf(this.#element, given), ({ address }) => {
      const at = machine.wasmtime.ffi.size(index);
      return this.#c.wasmtime_table_set(this.store.context, this.slot.address, at, address);
    });
    if (error) throw new TypeError(`Cannot set element: ${machine.wasmtime.takeMessage(error)}`);
  }

  /** Grows it. */
  grow(delta: number, given: readonly unknown[]): number {
    const { machine: { stack, wasmtime } } = this.store.engine;
    const context = this.store.checked();
    return withVal(
      this.store,
      this.#element,
      valueOf(this.#element, given),
      ({ address }) =>
        stack.with(16, (offset, before) => {
          const by = wasmtime.ffi.size(delta);
          const error = this.#c.wasmtime_table_grow(context, this.slot.address, by, address, before);
          if (error) throw new RangeError(`Cannot grow table: ${wasmtime.takeMessage(error)}`);
          return Number(stack.i64[offset >> 3]);
        }),
    );
  }

  get #c() {
    return this.store.engine.machine.wasmtime.c;
  }

  #check(index: number): void {
    if (index >= this.length) throw new RangeError(`Cannot access element ${index}: the table has ${this.length}`);
  }
}

/** All tables. */
export const tables: Objects<TableState> = new Objects("table", LOW, (store, slot) => new TableState(store, slot));

/** Makes a class of tables that are made in the stores given. */
export function tableClass(place: () => Store): NativeTableClass {
  return class Table {
    constructor(descriptor: { element: string; initial: number; maximum?: number }, ...given: unknown[]) {
      makeTable(this, place, descriptor, given);
    }

    get length(): number {
      return tables.stateOf(this).length;
    }

    get(index: number): unknown {
      return tables.stateOf(this).get(unsignedLong("index of table", index));
    }

    set(index: number, ...given: unknown[]): void {
      tables.stateOf(this).set(unsignedLong("index of table", index), given);
    }

    grow(delta: number, ...given: unknown[]): number {
      return tables.stateOf(this).grow(unsignedLong("delta of table", delta), given);
    }

    get [Symbol.toStringTag](): string {
      return "WebAssembly.Table";
    }
  };
}

/** A value that may not have been given: then the type has a default. */
function valueOf({ kind }: ValueType, given: readonly unknown[]): unknown {
  return given.length > 0 && !(kind === "funcref" && given[0] === undefined)
    ? given[0]
    : kind === "funcref"
    ? null
    : undefined;
}

/**
 * Makes a table of an object.
 *
 * @param given What its elements are at first, if that was said.
 * @throws {TypeError | RangeError} When the descriptor or value is invalid, or there is no room.
 */
export function makeTable(
  table: object,
  place: () => Store,
  descriptor: { element?: unknown; initial?: unknown; maximum?: unknown },
  given: readonly unknown[],
): void {
  const name = String((objectOf("table", descriptor) as { element?: unknown }).element);
  const element = Object.hasOwn(ELEMENTS, name) ? ELEMENTS[name] : undefined;
  if (!element) throw new TypeError(`Cannot make table: elements cannot be "${name}"`);
  const { initial, maximum = NO_MAXIMUM } = limitsOf("table", descriptor, MAX_ELEMENTS);
  const store = place();
  const { machine: { slots, wasmtime } } = store.engine;
  const { c } = wasmtime;
  const type = { kind: element[0], isNullable: true };
  withVal(store, type, valueOf(type, given), (value) =>
    slots.with((slot) => {
      slot.words[0] = BigInt(maximum) << 32n | BigInt(initial);
      const tableType = c.wasm_tabletype_new(c.wasm_valtype_new(element[1]), slot.address);
      const error = c.wasmtime_table_new(store.context, tableType, value.address, slot.address);
      c.wasm_tabletype_delete(tableType);
      if (error) throw new RangeError(`Cannot make table: ${wasmtime.takeMessage(error)}`);
      tables.bind(table, store, slot.words);
    }));
}
