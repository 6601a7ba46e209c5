// Which arguments of the calls are code that is worth a lookup; all others are the runtime's own business, down to the
// errors.

import { isBytes, isDataView, isFixed, viewOf } from "../bytes.ts";

/**
 * Looks at an argument by its internal slots, as the runtime does, whatever properties were put on it.
 *
 * @param minBytes Length from which on a lookup is worth it.
 * @returns The bytes where they lie; `undefined` for what is small, shared, resizable, detached, a DataView (which
 * V8 refuses), or no bytes.
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
export function isWorthwhile(response: unknown, minBytes: number): response is Response {
  // Node loads its fetch when the globals are touched: not before there is an object that may be a response.
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
