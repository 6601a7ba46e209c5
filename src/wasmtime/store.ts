// A store: what instances that share something live in, and are freed with. Everything of it that JavaScript holds
// keeps it alive: exported functions, memories, tables, globals, and buffers.

import type { Address } from "../ffi/ffi.ts";
import type { HostFunction, Machine, Running } from "./machine.ts";
import type { Slot } from "./native_memory.ts";
import type { FunctionType } from "./types.ts";

/** Any function. */
export type AnyFunction = (...given: unknown[]) => unknown;

/** A function of WebAssembly. */
export interface FunctionState {
  /** Where it lives. */
  readonly store: Store;
  /** Its `wasmtime_func_t`. */
  readonly slot: Slot;
  /** Its type. */
  readonly type: FunctionType;
}

const functions = new WeakMap<object, FunctionState>();

/** What is behind an exported function; `undefined` for other values. */
export function functionStateOf(value: unknown): FunctionState | undefined {
  return typeof value === "function" ? functions.get(value) : undefined;
}

/** Makes an exported function known. */
export function nameFunction(call: AnyFunction, state: FunctionState): void {
  functions.set(call, state);
}

/** How references to functions become functions, and functions of other stores references. */
export interface Links {
  /** The exported function of a `wasmtime_func_t`. */
  exportedFunction(store: Store, words: BigUint64Array): AnyFunction;
  /** A function of another store in this one. */
  adopt(store: Store, call: AnyFunction): FunctionState;
  /** Prototypes of memories, tables and globals. */
  readonly prototypes: Readonly<Record<"memory" | "table" | "global", object>>;
}

/** Limits of what runs in a store. */
export interface StoreLimits {
  /** Fuel, in Wasmtime's units: about one for each instruction. */
  readonly fuel?: bigint;
  /** How long one call may take, ms. */
  readonly deadlineMs?: number;
  /** Most bytes of each memory. */
  readonly maxMemoryBytes?: number;
  /** Most elements of each table. */
  readonly maxTableElements?: number;
}

/** An engine of Wasmtime: one library, one set of settings, one compiler. */
export interface EngineHandle {
  /** Its address. */
  readonly address: Address;
  /** The machine that it belongs to. */
  readonly machine: Machine;
  /** References to functions. */
  readonly links: Links;
  /** Whether its code counts fuel. */
  readonly hasFuel: boolean;
  /** Whether its code looks at the time. */
  readonly hasDeadlines: boolean;
  /** What makes the time pass; begins when it is first read. */
  readonly clock: Clock;
}

/** Lets time pass while calls with a deadline run. */
export interface Clock {
  /** How long a tick takes, ms. */
  readonly tickMs: number;
  /** Counts a call that begins. */
  begin(): void;
  /** Counts a call that has ended. */
  end(): void;
}

/** A memory of the store, as far as the store must know it. */
export interface Viewed {
  /** Detaches its buffer if the memory has grown. */
  check(): void;
  /** Detaches its buffer. */
  detach(): void;
}

/** What a store without a limit has: within 53 bits, and never reached. */
const UNLIMITED = 2 ** 52;

const BUFFERS = new WeakMap<ArrayBuffer, Store>();

/** Frees what was forgotten. */
const registry = new FinalizationRegistry<Freed>(free);

interface Freed {
  readonly machine: Machine;
  readonly address: Address;
  readonly slots: Slot[];
}

/** A store of instances. */
export class Store implements Running {
  /** The engine. */
  readonly engine: EngineHandle;
  /** Its `wasmtime_context_t`. */
  readonly context: Address;
  /** Host functions, by their number in Wasmtime. */
  readonly hostFunctions: HostFunction[] = [];
  /** Objects for externs, by their identity: each has one. */
  readonly known: Map<string, object> = new Map();
  /** How long one call may take, ms. */
  readonly deadlineMs?: number;
  /** Whether JavaScript has a buffer of a memory. */
  hasViews: boolean = false;
  /** How many calls are running. */
  calls: number = 0;
  readonly #freed: Freed;
  readonly #externs = new Map<number, unknown>();
  readonly #viewed = new Set<Viewed>();
  #nextExtern = 1;
  #isDisposed = false;

  /** Creates an empty store. */
  constructor(engine: EngineHandle, limits: StoreLimits = {}) {
    const { machine } = engine;
    const { c, ffi, null: none } = machine.wasmtime;
    const address = c.wasmtime_store_new(engine.address, none, none);
    this.engine = engine;
    this.context = c.wasmtime_store_context(address);
    this.#freed = { machine, address, slots: [] };
    registry.register(this, this.#freed, this);
    const { maxMemoryBytes = UNLIMITED, maxTableElements = UNLIMITED } = limits;
    const most = [maxMemoryBytes, maxTableElements, UNLIMITED, UNLIMITED, UNLIMITED].map(ffi.size);
    if (limits.maxMemoryBytes !== undefined || limits.maxTableElements !== undefined) {
      c.wasmtime_store_limiter(address, most[0]!, most[1]!, most[2]!, most[3]!, most[4]!);
    }
    this.deadlineMs = limits.deadlineMs;
    if (engine.hasDeadlines) c.wasmtime_context_set_epoch_deadline(this.context, ffi.size(UNLIMITED));
    if (engine.hasFuel) this.setFuel(limits.fuel ?? MAX_FUEL);
  }

  /** Whether it has been disposed of. */
  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /** Fuel that is left. */
  get fuel(): bigint {
    const { machine: { wasmtime: { c } } } = this.engine;
    const fuel = new BigUint64Array(1);
    const error = c.wasmtime_context_get_fuel(this.checked(), new Uint8Array(fuel.buffer));
    if (error) this.engine.machine.fail(error);
    return fuel[0]!;
  }

  /** Sets the fuel. */
  setFuel(fuel: bigint): void {
    const { machine } = this.engine;
    const error = machine.wasmtime.c.wasmtime_context_set_fuel(this.checked(), sizeOf(machine, fuel));
    if (error) machine.fail(error);
  }

  /**
   * The context, for use now.
   *
   * @throws {TypeError} When the store has been disposed of.
   */
  checked(): Address {
    if (this.#isDisposed) throw new TypeError("Cannot use instance: it has been disposed of");
    return this.context;
  }

  /** Runs a step that calls WebAssembly, within the deadline. */
  run<T>(step: () => T): T {
    this.checked();
    const clock = this.deadlineMs === undefined || this.calls > 0 ? undefined : this.engine.clock;
    if (clock) this.#setDeadline(Math.ceil(this.deadlineMs! / clock.tickMs) + 1);
    clock?.begin();
    this.calls++;
    try {
      return this.engine.machine.within(this, step);
    } finally {
      this.calls--;
      clock?.end();
      if (this.hasViews) this.checkMemories();
    }
  }

  /** A slot that lives as long as the store. */
  takeSlot(): Slot {
    const slot = this.engine.machine.slots.take();
    this.#freed.slots.push(slot);
    return slot;
  }

  /** Keeps a value that WebAssembly is to refer to. Returns its number. */
  keepExtern(value: unknown): number {
    const id = this.#nextExtern++;
    this.#externs.set(id, value);
    return id;
  }

  /** The value of a number. */
  externOf(id: number): unknown {
    return this.#externs.get(id);
  }

  /** Drops a value that WebAssembly refers to no more. */
  dropExtern(id: number): void {
    this.#externs.delete(id);
  }

  /** Remembers a memory whose buffer JavaScript has. */
  addView(viewed: Viewed, buffer: ArrayBuffer): void {
    this.#viewed.add(viewed);
    this.hasViews = true;
    BUFFERS.set(buffer, this);
  }

  /** Detaches buffers of memories that have grown. */
  checkMemories(): void {
    if (!this.hasViews || this.#isDisposed) return;
    for (const viewed of this.#viewed) viewed.check();
  }

  /**
   * Frees the store and everything in it; does nothing if that was done before.
   *
   * @throws {TypeError} When a call is running.
   */
  dispose(): void {
    if (this.#isDisposed) return;
    if (this.calls > 0) throw new TypeError("Cannot dispose of instance: a call is running");
    for (const viewed of this.#viewed) viewed.detach();
    this.#viewed.clear();
    this.#isDisposed = true;
    registry.unregister(this);
    this.engine.machine.within(this, () => free(this.#freed));
    this.#externs.clear();
    this.known.clear();
    this.hostFunctions.length = 0;
  }

  #setDeadline(ticks: number): void {
    const { wasmtime: { c, ffi } } = this.engine.machine;
    c.wasmtime_context_set_epoch_deadline(this.context, ffi.size(ticks));
  }
}

/** More than any program uses, and a signed 64-bit number. */
const MAX_FUEL = 2n ** 62n;

/** A `uint64_t` that may be larger than a number. */
function sizeOf({ wasmtime: { ffi } }: Machine, value: bigint): Address {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? value : ffi.size(value);
}

function free({ address, machine: { slots, wasmtime }, slots: taken }: Freed): void {
  wasmtime.c.wasmtime_store_delete(address);
  for (const slot of taken) slots.giveBack(slot);
}
