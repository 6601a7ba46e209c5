// Values in memory, as tables and globals take and give them: `wasmtime_val_t` in a slot.

import type { Slot } from "./native_memory.ts";
import type { FunctionState, Store } from "./store.ts";
import type { Kind, ValueType } from "./types.ts";
import { isNumber, makeExtern, toValue } from "./values.ts";

/** Kinds of values, by `wasmtime_valkind_t`. */
const KINDS: Readonly<Record<Kind, bigint>> = {
  i32: 0n,
  i64: 1n,
  f32: 2n,
  f64: 3n,
  funcref: 5n,
  externref: 6n,
  other: -1n,
};

/** Runs a step with a value. */
export function withVal<T>(store: Store, type: ValueType, value: unknown, use: (slot: Slot) => T): T {
  const converted = toValue(store, type, value);
  return withSlot(store, (slot) => {
    slot.words[0] = KINDS[type.kind];
    if (isNumber(type)) putNumber(slot, type.kind, converted as number | bigint);
    else if (converted === null) return use(slot);
    else if (type.kind === "externref") makeExtern(store, converted, slot.second);
    else slot.words.set((converted as FunctionState).slot.words.subarray(0, 2), 1);
    return use(slot);
  });
}

/** The value that a step puts into a slot. */
export function valFrom(store: Store, type: ValueType, fill: (slot: Slot) => void): unknown {
  return withSlot(store, (slot) => {
    fill(slot);
    if (isNumber(type)) return numberIn(slot, type.kind);
    if (slot.words[1] === 0n) return null;
    const { links, machine: { wasmtime: { c } } } = store.engine;
    if (type.kind === "externref") return store.externOf(Number(c.wasmtime_externref_data(store.context, slot.second)));
    return links.exportedFunction(store, slot.words.subarray(1, 3));
  });
}

/** A slot for a value, which is dropped afterwards. */
function withSlot<T>(store: Store, use: (slot: Slot) => T): T {
  const { slots, wasmtime: { c } } = store.engine.machine;
  return slots.with((slot) => {
    slot.words.fill(0n);
    try {
      return use(slot);
    } finally {
      c.wasmtime_val_unroot(slot.address);
    }
  });
}

function putNumber({ words: { buffer, byteOffset } }: Slot, kind: Kind, value: number | bigint): void {
  const view = new DataView(buffer, byteOffset + 8, 8);
  if (kind === "i32") view.setInt32(0, value as number, true);
  else if (kind === "i64") view.setBigInt64(0, value as bigint, true);
  else if (kind === "f32") view.setFloat32(0, value as number, true);
  else view.setFloat64(0, value as number, true);
}

function numberIn({ words: { buffer, byteOffset } }: Slot, kind: Kind): number | bigint {
  const view = new DataView(buffer, byteOffset + 8, 8);
  if (kind === "i32") return view.getInt32(0, true);
  if (kind === "i64") return view.getBigInt64(0, true);
  return kind === "f32" ? view.getFloat32(0, true) : view.getFloat64(0, true);
}
