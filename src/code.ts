// What callers hand in as code: checks that it is bytes, looks at it in place, copies it.

import type { Bytes } from "./platform/platform.ts";

/** WebAssembly code or whatever else an engine compiles: any buffer or view, shared and resizable ones too. */
export type Code = BufferSource | ArrayBufferLike | ArrayBufferView;

const arrayBufferLength = lengthGetter(ArrayBuffer.prototype);
const sharedBufferLength = typeof SharedArrayBuffer === "undefined"
  ? undefined
  : lengthGetter(SharedArrayBuffer.prototype);

/**
 * Looks at code where it lies.
 *
 * @returns A view of the bytes that `code` has now.
 * @throws {TypeError} When `code` is no buffer and no view of one.
 */
export function viewOf(code: unknown): Uint8Array {
  if (ArrayBuffer.isView(code)) return new Uint8Array(code.buffer, code.byteOffset, code.byteLength);
  if (isBuffer(code)) return new Uint8Array(code);
  throw new TypeError(`Cannot read code: it must be an ArrayBuffer or a view of one, not ${describe(code)}`);
}

/** Tells whether {@linkcode viewOf} takes a value. */
export function isBytes(value: unknown): value is Code {
  return ArrayBuffer.isView(value) || isBuffer(value);
}

/** Copies bytes to memory that nobody else can change, share or resize. */
export function copyOf(view: Uint8Array): Bytes {
  const copy = new Uint8Array(view.length);
  copy.set(view);
  return copy;
}

/** Names the type of a value that was not expected, for messages. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return value === "" ? "an empty string" : "a string";
  if (typeof value !== "object") return `a ${typeof value}`;
  return `an object of class ${value.constructor?.name ?? "null"}`;
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

function lengthGetter(prototype: ArrayBufferLike): (this: unknown) => unknown {
  return Object.getOwnPropertyDescriptor(prototype, "byteLength")!.get!;
}
