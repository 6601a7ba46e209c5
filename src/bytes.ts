// Code as callers pass it: checks that it is bytes, views it in place, copies it.

import type { Bytes } from "./platform/platform.ts";

/** WebAssembly code or whatever else an engine compiles: any buffer or view, shared and resizable ones too. */
export type Code = BufferSource | ArrayBufferLike | ArrayBufferView;

/** Reads an internal slot. Throws if the value has none of that kind. */
type Getter = (this: unknown) => unknown;

/** The runtime's own getters, which read values of any class or realm, whatever their properties. */
const TypedArray = Object.getPrototypeOf(Uint8Array.prototype);
const kindOf = getter(TypedArray, Symbol.toStringTag);
const viewSlots = [TypedArray, DataView.prototype].map((prototype) =>
  ["buffer", "byteOffset", "byteLength"].map((name) => getter(prototype, name))
);
const arrayBufferLength = getter(ArrayBuffer.prototype, "byteLength");
const sharedBufferLength = typeof SharedArrayBuffer === "undefined"
  ? undefined
  : getter(SharedArrayBuffer.prototype, "byteLength");
const isResizable = "resizable" in ArrayBuffer.prototype ? getter(ArrayBuffer.prototype, "resizable") : undefined;

/**
 * Views code in place.
 *
 * @returns A view of the bytes that `code` has now.
 * @throws {TypeError} When `code` is neither a buffer nor a view of one, or was transferred away.
 */
export function viewOf(code: unknown): Uint8Array {
  if (ArrayBuffer.isView(code)) {
    const slots = viewSlots[isDataView(code) ? 1 : 0]!;
    const [buffer, offset, length] = slots.map((getter) => getter.call(code)) as [ArrayBufferLike, number, number];
    return new Uint8Array(buffer, offset, length);
  }
  if (isBuffer(code)) return new Uint8Array(code);
  throw new TypeError(`Cannot read code: it must be an ArrayBuffer or a view of one, not ${describe(code)}`);
}

/** Whether a value is a Uint8Array, of any realm; a Buffer is one. */
export function isUint8Array(value: unknown): value is Uint8Array {
  return kindOf.call(value) === "Uint8Array";
}

/** Length of a Uint8Array, bytes; 0 if it was transferred away. */
export function lengthOf(view: Uint8Array): number {
  return viewSlots[0]![2]!.call(view) as number;
}

/** Whether {@linkcode viewOf} accepts a value. */
export function isBytes(value: unknown): value is Code {
  return ArrayBuffer.isView(value) || isBuffer(value);
}

/** Whether a value is a DataView, of any realm. */
export function isDataView(value: unknown): boolean {
  return ArrayBuffer.isView(value) && kindOf.call(value) === undefined;
}

/** Whether bytes are in memory that is neither shared nor resizable. */
export function isFixed({ buffer }: Uint8Array): boolean {
  return hasSlot(buffer, arrayBufferLength) && !isResizable?.call(buffer);
}

/** Copies bytes into memory that nobody else can change, share or resize. */
export function copyOf(view: Uint8Array): Bytes {
  return new Uint8Array(view);
}

/** Names the type of an unexpected value, for messages. */
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

/** Text of a thrown value, whatever it is. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return describe(value);
  }
}

/** By the internal slot, so that buffers of other realms count and objects that only look alike do not. */
function isBuffer(value: unknown): value is ArrayBufferLike {
  return hasSlot(value, arrayBufferLength) || (sharedBufferLength !== undefined && hasSlot(value, sharedBufferLength));
}

function hasSlot(value: unknown, getter: Getter): boolean {
  try {
    getter.call(value);
    return true;
  } catch {
    return false;
  }
}

function getter(prototype: object, name: string | symbol): Getter {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as Getter;
}

/** Bytes as lower-case hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Bytes after other bytes. */
export function join(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
