// Exported functions, which JavaScript calls. A call with few numbers is what has to be fast.

import type { Address } from "../ffi/ffi.ts";
import { hostFunction } from "./host_functions.ts";
import { RAW_BYTES } from "./native_memory.ts";
import { type AnyFunction, type FunctionState, functionStateOf, nameFunction, type Store } from "./store.ts";
import { foreignTypes } from "./values.ts";
import type { FunctionType } from "./types.ts";
import { areFewNumbers, checkTypes, numberAt, putNumber, putValues, toNumber, toValue, valueAt } from "./values.ts";

/** The exported function of a `wasmtime_func_t`, always the same one. */
export function exportedFunction(store: Store, words: BigUint64Array, type?: FunctionType): AnyFunction {
  const identity = identityOf(words);
  const known = store.known.get(identity) as AnyFunction | undefined;
  if (known) return known;
  const { types, wasmtime: { c } } = store.engine.machine;
  const slot = store.takeSlot();
  slot.words.set(words.subarray(0, 2));
  type ??= types.functionType(c.wasmtime_func_type(store.context, slot.address));
  const state = { store, slot, type };
  const call = areFewNumbers(type) && store.deadlineMs === undefined ? numericCall(state) : generalCall(state);
  const { length } = type.parameters;
  if (call.length !== length) Object.defineProperty(call, "length", { value: length, configurable: true });
  nameFunction(call, state);
  store.known.set(identity, call);
  return call;
}

const adopted = new WeakMap<Store, WeakMap<AnyFunction, FunctionState>>();

/** The `wasmtime_func_t` in a store of a function that lives elsewhere: calls go through JavaScript. */
export function adopt(store: Store, call: AnyFunction): FunctionState {
  const own = adopted.get(store) ?? new WeakMap();
  adopted.set(store, own);
  const known = own.get(call);
  if (known) return known;
  // Wasmtime's own description belongs to the compiler of the other store, which may be another.
  const type = store.engine.machine.types.copyOf(functionStateOf(call)?.type ?? foreignTypes.get(call)!());
  const state = { store, slot: hostFunction(store, call, type), type };
  // Whoever takes it out of a table gets what was put in.
  store.known.set(identityOf(state.slot.words), call);
  own.set(call, state);
  return state;
}

function identityOf(words: BigUint64Array): string {
  return `function ${words[1]}`;
}

/** For few numbers: written out, because a loop over the arguments takes twice as long. */
function numericCall(state: FunctionState): AnyFunction {
  const { machine: { stack } } = state.store.engine;
  const [p, q, r, s] = state.type.parameters.map(({ kind }) => kind);
  const finish = finisher(state);
  switch (state.type.parameters.length) {
    case 0:
      return () => finish(stack.top);
    case 1:
      return (a) => {
        const x = toNumber(p!, a);
        const offset = stack.top;
        putNumber(stack, offset, p!, x);
        return finish(offset);
      };
    case 2:
      return (a, b) => {
        const x = toNumber(p!, a);
        const y = toNumber(q!, b);
        const offset = stack.top;
        putNumber(stack, offset, p!, x);
        putNumber(stack, offset + RAW_BYTES, q!, y);
        return finish(offset);
      };
    case 3:
      return (a, b, c) => {
        const x = toNumber(p!, a);
        const y = toNumber(q!, b);
        const z = toNumber(r!, c);
        const offset = stack.top;
        putNumber(stack, offset, p!, x);
        putNumber(stack, offset + RAW_BYTES, q!, y);
        putNumber(stack, offset + 2 * RAW_BYTES, r!, z);
        return finish(offset);
      };
    default:
      return (a, b, c, d) => {
        const x = toNumber(p!, a);
        const y = toNumber(q!, b);
        const z = toNumber(r!, c);
        const w = toNumber(s!, d);
        const offset = stack.top;
        putNumber(stack, offset, p!, x);
        putNumber(stack, offset + RAW_BYTES, q!, y);
        putNumber(stack, offset + 2 * RAW_BYTES, r!, z);
        putNumber(stack, offset + 3 * RAW_BYTES, s!, w);
        return finish(offset);
      };
  }
}

/** Calls with arguments that are in place, and takes the result. */
function finisher(state: FunctionState): (offset: number) => unknown {
  const { machine: { stack, wasmtime: { ffi } } } = state.store.engine;
  const result = state.type.results[0]?.kind;
  const count = Math.max(state.type.parameters.length, 1);
  const length = ffi.address(count);
  return (offset) => {
    stack.checkRoom();
    stack.top = offset + count * RAW_BYTES;
    try {
      callRaw(state, offset, length);
    } finally {
      stack.top = offset;
    }
    return result === undefined ? undefined : numberAt(stack, offset, result);
  };
}

/** Calls with references, many arguments or many results, or within a deadline. */
function generalCall(state: FunctionState): AnyFunction {
  const { store, type: { parameters, results } } = state;
  const { machine: { stack, wasmtime: { ffi } } } = store.engine;
  const count = Math.max(parameters.length, results.length, 1);
  const length = ffi.address(count);
  return (...given) => {
    checkTypes(results);
    const values = parameters.map((type, i) => toValue(store, type, given[i]));
    return stack.with(count * RAW_BYTES, (offset) => {
      putValues(store, stack, offset, parameters, values);
      store.run(() => callRaw(state, offset, length));
      const taken = results.map((type, i) => valueAt(store, stack, offset + i * RAW_BYTES, type));
      return taken.length > 1 ? taken : taken[0];
    });
  };
}

function callRaw({ store, slot }: FunctionState, offset: number, length: Address): void {
  const { machine } = store.engine;
  const { stack } = machine;
  if (store.isDisposed) store.checked();
  const outer = machine.running;
  machine.running = store;
  store.calls++;
  const error = machine.wasmtime.c.wasmtime_func_call_unchecked(
    store.context,
    slot.address,
    stack.addressAt(offset),
    length,
    stack.trapAddress,
  );
  store.calls--;
  machine.running = outer;
  if (store.hasViews) store.checkMemories();
  if (error || stack.i32[0] !== 0 || stack.i32[1] !== 0) machine.fail(error);
}
