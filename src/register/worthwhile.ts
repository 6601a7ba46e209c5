// Which arguments of the calls are code that is worth a lookup; all others are the runtime's own business, down to the
// errors.

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

/** What this file and the runtimes read of a response; an object that has one of its own may tell them different things. */
const READ = ["body", "bodyUsed", "headers", "ok", "status", "then", "type", "url"];

/** Whether a value is a promise that can be waited for without anybody noticing. */
export function isPlainPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Promise.prototype &&
    !["constructor", "then"].some((name) => Object.hasOwn(value, name));
}

/**
 * Whether a response is one of WebAssembly that no runtime refuses: what they take beyond that (on Bun and Deno a type in
 * capitals) differs, and what they say of others too.
 */
export function isWorthwhile(response: unknown): response is Response {
  // Node loads its fetch when the globals are touched: not before there is an object that may be a response.
  if (typeof response !== "object" || response === null) return false;
  try {
    return isPlain(response) && isOfWasm(response);
  } catch {
    return false;
  }
}

function isPlain(response: object): response is Response {
  return Object.getPrototypeOf(response) === Response.prototype && !READ.some((name) => Object.hasOwn(response, name));
}

function isOfWasm(response: Response): boolean {
  const { body, bodyUsed, headers, ok } = response;
  if (!ok || bodyUsed || headers.get("content-type") !== "application/wasm") return false;
  const length = Number(headers.get("content-length") ?? Infinity);
  return body !== null && !body.locked && length >= MIN_BYTES;
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
