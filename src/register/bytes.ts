// Which arguments of the calls are code that is worth a lookup; all others are the runtime's own business.

/** Below this a lookup costs more than a compile. */
export const MIN_BYTES = 4096;

type Getter = (this: unknown) => unknown;

const TypedArray = Object.getPrototypeOf(Uint8Array.prototype);
const slots = ["buffer", "byteOffset", "byteLength"].map((name) => getter(TypedArray, name));
const lengthOf = getter(ArrayBuffer.prototype, "byteLength");
const isResizable = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "resizable")?.get as Getter | undefined;

/**
 * Looks at an argument by its internal slots, as the runtime does, whatever properties were put on it.
 *
 * @returns The bytes where they lie; `undefined` for what is small, shared, resizable, detached, a DataView (which
 * V8 refuses), or no bytes.
 */
export function worthwhile(code: unknown): Uint8Array<ArrayBuffer> | undefined {
  if (typeof code !== "object" || code === null) return undefined;
  const view = ArrayBuffer.isView(code) ? read(code, ...slots) : [code, 0, read(code, lengthOf)?.[0]];
  const [buffer, offset, length] = (view ?? []) as [ArrayBuffer, number, number | undefined];
  if (length === undefined || length < MIN_BYTES) return undefined;
  // A shared buffer has no such length.
  if (read(buffer, lengthOf) === undefined || (isResizable && read(buffer, isResizable)?.[0])) return undefined;
  return new Uint8Array(buffer, offset, length);
}

/** Reads slots; `undefined` where the value has none of that kind. */
function read(value: unknown, ...getters: Getter[]): unknown[] | undefined {
  try {
    return getters.map((getter) => getter.call(value));
  } catch {
    return undefined;
  }
}

function getter(prototype: object, name: string): Getter {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get as Getter;
}
