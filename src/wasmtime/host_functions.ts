// Host functions, which WebAssembly calls: functions of JavaScript, as a module imports them.

import { isPromise } from "../effect.ts";
import type { HostFunction } from "./machine.ts";
import { RAW_BYTES, type Slot, type Views } from "./native_memory.ts";
import type { AnyFunction, Store } from "./store.ts";
import type { FunctionType, ValueType } from "./types.ts";
import { areFewNumbers, checkTypes, isNumber, numberAt, putNumber, putValues, toNumber } from "./values.ts";
import { toValue, valueAt } from "./values.ts";

/** Makes a host function of any function. Returns its `wasmtime_func_t`. */
export function hostFunction(store: Store, call: AnyFunction, type: FunctionType): Slot {
  const { callAddress, wasmtime: { c, ffi, null: none } } = store.engine.machine;
  const slot = store.takeSlot();
  const made = areFewNumbers(type) ? numeric(call, type) : general(store, call, type);
  const id = ffi.address(store.hostFunctions.push(made) - 1);
  c.wasmtime_func_new_unchecked(store.context, type.handle.address, callAddress, id, none, slot.address);
  return slot;
}

/** For few numbers: written out, because a loop over the arguments takes twice as long. */
function numeric(call: AnyFunction, { parameters, results }: FunctionType): HostFunction {
  const [p, q, r, s] = parameters.map(({ kind }) => kind);
  const put = (views: Views, offset: number, value: unknown) => {
    if (results.length > 0) putNumber(views, offset, results[0]!.kind, toNumber(results[0]!.kind, ready(value)));
  };
  switch (parameters.length) {
    case 0:
      return (views, offset) => put(views, offset, call());
    case 1:
      return (views, offset) => put(views, offset, call(numberAt(views, offset, p!)));
    case 2:
      return (views, offset) =>
        put(views, offset, call(numberAt(views, offset, p!), numberAt(views, offset + RAW_BYTES, q!)));
    case 3:
      return (views, offset) => {
        const [x, y] = [numberAt(views, offset, p!), numberAt(views, offset + RAW_BYTES, q!)];
        put(views, offset, call(x, y, numberAt(views, offset + 2 * RAW_BYTES, r!)));
      };
    default:
      return (views, offset) => {
        const [x, y] = [numberAt(views, offset, p!), numberAt(views, offset + RAW_BYTES, q!)];
        const z = numberAt(views, offset + 2 * RAW_BYTES, r!);
        put(views, offset, call(x, y, z, numberAt(views, offset + 3 * RAW_BYTES, s!)));
      };
  }
}

function general(store: Store, call: AnyFunction, { parameters, results }: FunctionType): HostFunction {
  return (views, offset) => {
    checkTypes([...parameters, ...results]);
    const result = call(...parameters.map((type, i) => valueAt(store, views, offset + i * RAW_BYTES, type)));
    if (results.length === 0) return;
    const given = results.length === 1 ? [result] : manyOf(result, results);
    const values = results.map((type, i) => toValue(store, type, isNumber(type) ? ready(given[i]) : given[i]));
    putValues(store, views, offset, results, values);
  };
}

/** Several results, from anything that can be iterated. */
function manyOf(result: unknown, { length }: readonly ValueType[]): unknown[] {
  const given = [...ready(result) as Iterable<unknown>];
  if (given.length !== length) throw new TypeError(`Cannot take results: ${given.length} instead of ${length}`);
  return given;
}

/** @throws {TypeError} When a result is a promise: WebAssembly cannot wait. */
function ready(value: unknown): unknown {
  if (typeof value === "object" && isPromise(value)) {
    throw new TypeError("Cannot take result: the host function is async, and WebAssembly cannot wait for its promise");
  }
  return value;
}
