// Which arguments of the calls are code that is worth a lookup. All others are left to the runtime, including the
// errors.

import { isBytes, isDataView, isFixed, viewOf } from "../bytes.ts";

/**
 * Reads an argument by its internal slots, as the runtime does, whatever its properties.
 *
 * @param minBytes Length from which on a lookup is worth it.
 * @returns A view of the bytes; `undefined` if they are few, shared, resizable, detached, a DataView (which V8
 * rejects), or not bytes.
 */
export function worthwhile(code: unknown, minBytes: number): Uint8Array<ArrayBuffer> | undefined {
  if (typeof code !== "object" || !isBytes(code) || isDataView(code)) return undefined;
  try {
    const view = viewOf(code);
    return view.length >= minBytes && isFixed(view) ? view as Uint8Array<ArrayBuffer> : undefined;
  } catch {
    // It was transferred away.
    return undefined;
  }
}

/**
 * Properties of a response that this file and the runtimes read. An object that overrides one may show them different
 * values.
 */
const READ = ["body", "bodyUsed", "headers", "ok", "status", "then", "type", "url"];

/** Whether a value is a promise that can be awaited unobserved. */
export function isPlainPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Promise.prototype &&
    !["constructor", "then"].some((name) => Object.hasOwn(value, name));
}

/**
 * Whether every runtime accepts a response as WebAssembly. They differ in what else they accept (Bun and Deno a type in
 * capitals), and in their errors.
 */
export function isWorthwhile(response: unknown, minBytes: number): response is Response {
  // Node loads its fetch when the globals are touched: only once there is an object that may be a response.
  if (typeof response !== "object" || response === null) return false;
  try {
    return isUntouched(response) && isOfWasm(response, minBytes);
  } catch {
    return false;
  }
}

function isUntouched(response: object): response is Response {
  return Object.getPrototypeOf(response) === Response.prototype && !READ.some((name) => Object.hasOwn(response, name));
}

function isOfWasm(response: Response, minBytes: number): boolean {
  const { body, bodyUsed, headers, ok } = response;
  if (!ok || bodyUsed || headers.get("content-type") !== "application/wasm") return false;
  const length = Number(headers.get("content-length") ?? Infinity);
  return body !== null && !body.locked && length >= minBytes;
}
