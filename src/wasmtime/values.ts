// Values on their way between JavaScript and WebAssembly, as `ToWebAssemblyValue` and `ToJSValue` of the standard say.

import type { Address } from "../ffi/ffi.ts";
import type { Slot, Views } from "./native_memory.ts";
import { RAW_BYTES } from "./native_memory.ts";
import { type AnyFunction, type FunctionState, functionStateOf, type Store } from "./store.ts";
import type { FunctionType, Kind, ValueType } from "./types.ts";

/** A number of WebAssembly in JavaScript. */
export type AnyNumber = number | bigint;

/** Whether values of a type are numbers. */
export function isNumber({ kind }: ValueType): boolean {
  return kind === "i32" || kind === "i64" || kind === "f32" || kind === "f64";
}

/** Whether a function takes and gives few numbers, and nothing else. */
export function areFewNumbers({ parameters, results }: FunctionType): boolean {
  return parameters.length <= 4 && results.length <= 1 && parameters.every(isNumber) && results.every(isNumber);
}

/**
 * Checks that values of some types can pass.
 *
 * @throws {TypeError} When they cannot.
 */
export function checkTypes(types: readonly ValueType[]): void {
  if (types.some(({ kind }) => kind === "other")) {
    throw new TypeError("Cannot pass value: only i32, i64, f32, f64, externref and funcref can");
  }
}

/** Types of exported functions that are the runtime's own. */
export const foreignTypes: WeakMap<object, () => Pick<FunctionType, "parameters" | "results">> = new WeakMap();

/** Converts to a number. */
export function toNumber(kind: Kind, value: unknown): AnyNumber {
  if (kind === "i32") return (value as number) | 0;
  if (kind === "i64") return BigInt.asIntN(64, value as bigint);
  return kind === "f32" ? Math.fround(value as number) : +(value as number);
}

/** Puts a number that has been converted. */
export function putNumber(views: Views, offset: number, kind: Kind, value: AnyNumber): void {
  if (kind === "i32") views.i32[offset >> 2] = value as number;
  else if (kind === "f64") views.f64[offset >> 3] = value as number;
  else if (kind === "i64") views.i64[offset >> 3] = value as bigint;
  else views.f32[offset >> 2] = value as number;
}

/** The number at an offset. */
export function numberAt(views: Views, offset: number, kind: Kind): AnyNumber {
  if (kind === "i32") return views.i32[offset >> 2]!;
  if (kind === "f64") return views.f64[offset >> 3]!;
  return kind === "i64" ? views.i64[offset >> 3]! : views.f32[offset >> 2]!;
}

/**
 * Converts to a value that can be put.
 *
 * @throws {TypeError} When it is not of the type.
 */
export function toValue(store: Store, type: ValueType, value: unknown): unknown {
  if (isNumber(type)) return toNumber(type.kind, value);
  checkTypes([type]);
  if (value === null && !type.isNullable) throw new TypeError("Cannot pass null: the type does not allow it");
  if (type.kind === "externref" || value === null) return value;
  const state = functionStateOf(value);
  if (!state && !foreignTypes.has(value as object)) {
    throw new TypeError("Cannot pass value: a funcref must be null or an exported function");
  }
  return state?.store === store ? state : store.engine.links.adopt(store, value as AnyFunction);
}

/** Puts values that have been converted, one after another. */
export function putValues(
  store: Store,
  views: Views,
  offset: number,
  types: readonly ValueType[],
  values: readonly unknown[],
): void {
  const { slots, wasmtime: { c } } = store.engine.machine;
  const rooted: (readonly [offset: number, slot: Slot])[] = [];
  types.forEach((type, i) => {
    const at = offset + i * RAW_BYTES;
    if (isNumber(type)) return putNumber(views, at, type.kind, values[i] as AnyNumber);
    views.i64[at >> 3] = 0n;
    if (values[i] === null) return;
    if (type.kind === "externref") {
      const slot = slots.take();
      makeExtern(store, values[i], slot.address);
      rooted.push([at, slot]);
    } else views.i64[at >> 3] = BigInt(rawFunction(store, (values[i] as FunctionState).slot));
  });
  // Only when all have been made: to make one may collect those that nothing refers to.
  for (const [at, { address }] of rooted) {
    views.i64[at >> 3] = BigInt(c.wasmtime_externref_to_raw(store.context, address));
  }
  for (const [, slot] of rooted) {
    c.wasmtime_externref_unroot(slot.address);
    slots.giveBack(slot);
  }
}

/** The value at an offset. */
export function valueAt(store: Store, views: Views, offset: number, type: ValueType): unknown {
  if (isNumber(type)) return numberAt(views, offset, type.kind);
  const raw = views.i64[offset >> 3]!;
  if (type.kind === "externref") return externOf(store, Number(raw & 0xffff_ffffn));
  return raw === 0n ? null : functionOf(store, raw);
}

/**
 * Makes an externref at an address, which the caller unroots.
 *
 * @throws {RangeError} When there is no room for it.
 */
export function makeExtern(store: Store, value: unknown, address: Address): void {
  const { machine } = store.engine;
  const { dropAddress, wasmtime: { c, ffi } } = machine;
  const id = ffi.address(store.keepExtern(value));
  const isMade = machine.within(store, () => c.wasmtime_externref_new(store.context, id, dropAddress, address));
  if (!isMade) throw new RangeError("Cannot pass value: there is no room for its reference");
}

function externOf(store: Store, raw: number): unknown {
  if (raw === 0) return null;
  const { slots, wasmtime: { c } } = store.engine.machine;
  return slots.with(({ address }) => {
    c.wasmtime_externref_from_raw(store.context, raw, address);
    const value = store.externOf(Number(c.wasmtime_externref_data(store.context, address)));
    c.wasmtime_externref_unroot(address);
    return value;
  });
}

function rawFunction(store: Store, { address }: Slot): Address {
  return store.engine.machine.wasmtime.c.wasmtime_func_to_raw(store.context, address);
}

function functionOf(store: Store, raw: bigint): unknown {
  const { links, machine: { slots, wasmtime: { c, ffi } } } = store.engine;
  return slots.with(({ address, words }) => {
    c.wasmtime_func_from_raw(store.context, ffi.address(raw), address);
    return links.exportedFunction(store, words);
  });
}
