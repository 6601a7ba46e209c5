// Memories, tables and globals that a program makes before anyone knows which modules will use them. Each is made as
// the runtime's own, and becomes native when it is first used with a native instance, or when its buffer is read.

import { native } from "../../engine/runtime.ts";
import { globals, makeGlobal } from "../global.ts";
import { makeMemory, memories } from "../memory.ts";
import type { Space } from "../space.ts";
import { functionStateOf } from "../store.ts";
import { makeTable, tables } from "../table.ts";
import { bridged, classReplacements, type Replacement } from "./bridge.ts";

type Kind = "Memory" | "Table" | "Global";
type Seen = Record<string, unknown>;

/** Where an object lives. */
export type Home = "native" | "undecided" | "runtime";

/** How an object that is undecided becomes native. */
type Move = () => void;

/** What reads a memory's content: then it must stay where it is. */
const READING = new Set(["buffer", "toFixedLengthBuffer", "toResizableBuffer"]);

const states = { Memory: memories, Table: tables, Global: globals };

/** The objects of a façade. */
export class FacadeObjects {
  readonly #space: Space;
  readonly #moves = new WeakMap<object, Move>();
  readonly #place: Space["sharedStore"];

  /** Knows nothing yet. */
  constructor(space: Space) {
    this.#space = space;
    this.#place = () => space.sharedStore();
  }

  /** Where a value lives; `undefined` if it is no memory, table or global. */
  homeOf(value: unknown): Home | undefined {
    if (typeof value !== "object" || value === null) return undefined;
    if (Object.values(states).some((objects) => objects.find(value))) return "native";
    if (this.#moves.has(value)) return "undecided";
    return ["buffer", "length", "value"].some((name) => isOwn(value, name as "buffer")) ? "runtime" : undefined;
  }

  /** Makes an object native, if that is still to be decided. */
  makeNative(object: object): void {
    const move = this.#moves.get(object);
    this.#moves.delete(object);
    move?.();
  }

  /** Leaves an object to the runtime. */
  leave(object: object): void {
    this.#moves.delete(object);
  }

  /** What is replaced. */
  replacements(): Replacement[] {
    return (["Memory", "Table", "Global"] as const).flatMap((kind) => {
      const { prototype } = native[kind];
      const own = Object.getOwnPropertyDescriptors(this.#space[kind].prototype) as Record<string, PropertyDescriptor>;
      return [
        ...classReplacements(kind, native[kind], (given, newTarget) => this.#make(kind, given, newTarget)),
        ...bridged(prototype, (name, self, given) => {
          if (typeof self !== "object" || self === null) return undefined;
          if (this.#moves.has(self) && (READING.has(name) || given.some(isNative))) this.makeNative(self);
          return states[kind].find(self) && (own[name] ?? {});
        }),
      ];
    });
  }

  #make(kind: Kind, [descriptor, ...rest]: unknown[], newTarget: (...given: unknown[]) => unknown): object {
    const seen: Seen = {};
    // The runtime takes no native function.
    const isForNative = rest.some(isNative);
    const given = [recorded(descriptor, seen), ...(isForNative ? [] : rest)];
    const object = Reflect.construct(native[kind], given, newTarget);
    const move = this.#moveOf(kind, object, seen);
    if (move) this.#moves.set(object, () => move(isForNative ? rest : undefined));
    if (isForNative) this.makeNative(object);
    return object;
  }

  #moveOf(kind: Kind, object: object, seen: Seen): ((given?: unknown[]) => void) | undefined {
    if (seen.shared || (seen.address !== undefined && seen.address !== "i32")) return undefined;
    const place = this.#place;
    const { maximum } = seen;
    if (kind === "Memory") {
      const initial = () => originals.buffer.call(object).byteLength / PAGE_BYTES;
      return () => makeMemory(object, place, { initial: initial(), maximum });
    }
    if (kind === "Global") {
      if (!["i32", "i64", "f32", "f64", "externref", "anyfunc"].includes(seen.value as string)) return undefined;
      const value = (given?: unknown[]) => given ? given[0] : originals.value.call(object);
      const { mutable, value: type } = seen;
      return (given) => makeGlobal(object, place, { mutable, value: type }, value(given));
    }
    if (!["anyfunc", "externref"].includes(seen.element as string)) return undefined;
    return (given) => this.#moveTable(object, seen, given);
  }

  #moveTable(object: object, { element, maximum }: Seen, given: unknown[] = []): void {
    const initial = originals.length.call(object);
    const values = given.length > 0 ? [] : Array.from({ length: initial }, (_, i) => originals.get.call(object, i));
    makeTable(object, this.#place, { element, initial, maximum }, given);
    const none = element === "anyfunc" ? null : undefined;
    values.forEach((value, i) => value !== none && tables.stateOf(object).set(i, [value]));
  }
}

const PAGE_BYTES = 65536;

function isNative(value: unknown): boolean {
  return functionStateOf(value) !== undefined;
}

/** The runtime's own calls. */
const originals = {
  buffer: getter(native.Memory, "buffer") as () => ArrayBuffer,
  value: getter(native.Global, "value"),
  length: getter(native.Table, "length") as () => number,
  get: native.Table?.prototype.get as (index: number) => unknown,
};

/** Whether an object is of the class that has a getter. */
function isOwn(object: object, name: "buffer" | "length" | "value"): boolean {
  try {
    originals[name].call(object);
    return true;
  } catch {
    return false;
  }
}

function getter(Class: { prototype: object } | undefined, name: string): () => unknown {
  return Class ? Object.getOwnPropertyDescriptor(Class.prototype, name)!.get! : () => undefined;
}

/** A descriptor that remembers what is read of it. Objects are converted here, so that they are only once. */
function recorded(descriptor: unknown, seen: Seen): unknown {
  if (typeof descriptor !== "object" || descriptor === null) return descriptor;
  return new Proxy({}, {
    get: (_target, name) => {
      const value = Reflect.get(descriptor, name);
      return typeof name === "string" ? seen[name] = converted(name, value) : value;
    },
    has: (_target, name) => Reflect.has(descriptor, name),
  });
}

function converted(name: string, value: unknown): unknown {
  if (name === "shared" || name === "mutable") return Boolean(value);
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return value;
  return name === "value" || name === "element" || name === "address" ? `${value}` : +(value as unknown as number);
}
