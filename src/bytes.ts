// What callers hand in as code: checks that it is bytes, looks at it in place, copies it.

import type { Bytes } from "./platform/platform.ts";

/** WebAssembly code or whatever else an engine compiles: any buffer or view, shared and resizable ones too. */
export type Code = BufferSource | ArrayBufferLike | ArrayBufferView;

type Slot = (this: unknown) => unknown;

/** The runtime's own, by which values are read whatever class or realm they are of, and whatever was put on them. */
const TypedArray = Object.getPrototypeOf(Uint8Array.prototype);
const kindOf = slot(TypedArray, Symbol.toStringTag);
const viewSlots = [TypedArray, DataView.prototype].map((prototype) =>
  ["buffer", "byteOffset", "byteLength"].map((name) => slot(prototype, name))
);
const arrayBufferLength = slot(ArrayBuffer.prototype, "byteLength");
const sharedBufferLength = typeof SharedArrayBuffer === "undefined"
  ? undefined
  : slot(SharedArrayBuffer.prototype, "byteLength");

/**
 * Looks at code where it lies.
 *
 * @returns A view of the bytes that `code` has now.
 * @throws {TypeError} When `code` is no buffer and no view of one, or was transferred away.
 */
export function viewOf(code: unknown): Uint8Array {
  if (ArrayBuffer.isView(code)) {
    const slots = viewSlots[kindOf.call(code) === undefined ? 1 : 0]!;
    const [buffer, offset, length] = slots.map((slot) => slot.call(code)) as [ArrayBufferLike, number, number];
    return new Uint8Array(buffer, offset, length);
  }
  if (isBuffer(code)) return new Uint8Array(code);
  throw new TypeError(`Cannot read code: it must be an ArrayBuffer or a view of one, not ${describe(code)}`);
}

/** Tells whether a value is a Uint8Array, of any realm; a Buffer is. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return kindOf.call(value) === "Uint8Array";
}

/** Tells whether {@linkcode viewOf} takes a value. */
export function isBytes(value: unknown): value is Code {
  return ArrayBuffer.isView(value) || isBuffer(value);
}

/** Copies bytes to memory that nobody else can change, share or resize. */
export function copyOf(view: Uint8Array): Bytes {
  const own = viewOf(view);
  const copy = new Uint8Array(own.length);
  copy.set(own);
  return copy;
}

/** Names the type of a value that was not expected, for messages. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return value === "" ? "an empty string" : "a string";
  if (typeof value !== "object") return `a ${typeof value}`;
  try {
    return `an object of class ${value.constructor?.name ?? "null"}`;
  } catch {
    return "an object that cannot be looked at";
  }
}

/** Text of a value that somebody threw, whatever it is. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return describe(value);
  }
}

/** By the internal slot, so that buffers of other realms count and objects that only look alike do not. */
function isBuffer(value: unknown): value is ArrayBufferLike {
  return [arrayBufferLength, sharedBufferLength].some((getter) => {
    try {
      return getter?.call(value) !== undefined;
    } catch {
      return false;
    }
  });
}

function slot(prototype: object, name: string | symbol): Slot {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as Slot;
}
