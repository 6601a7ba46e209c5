// What a process hands over to another that goes on when it ends: orders, as bytes. Knows no cache and no engine.

import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { fromUtf8, toUtf8 } from "../platform/globals.ts";
import { nodeFiles } from "../platform/node_files.ts";

/** Where an entry goes. */
export type Target = Omit<EntryPlace, "prepare">;

/** An order of an engine. */
export interface EntryOrder {
  /** Id of the engine. */
  readonly id: string;
  /** Where the entry goes; absent if only the artifact is wanted. */
  readonly target?: Target;
}

/** Encodes orders in parts: length and text, then all byte fields in the order of the text. */
export function partsOf(orders: readonly EntryOrder[]): Uint8Array[] {
  const blobs: Uint8Array[] = [];
  const text = JSON.stringify(orders, (_, value) => {
    if (!(value instanceof Uint8Array)) return value;
    blobs.push(value);
    return { bytes: value.length };
  });
  const head = toUtf8(text);
  return [new Uint8Array(Uint32Array.of(head.length).buffer), head, ...blobs];
}

/** Decodes orders. */
export function ordersIn<O extends EntryOrder>(bytes: Bytes): O[] {
  let at = 0;
  const next = (length: number) => bytes.slice(at, at += length);
  const [headLength] = new Uint32Array(next(4).buffer);
  // JSON has no infinity, and turns limits that are infinite into null.
  return JSON.parse(
    fromUtf8(next(headLength!)),
    (_, value) => value === null ? Infinity : value.bytes === undefined ? value : next(value.bytes),
  );
}

/**
 * Makes sure that nobody else can write a folder.
 *
 * @throws {Error} When someone else can.
 */
export function checkFolder(folder: string): void {
  const exposure = nodeFiles().exposure(folder).sync();
  if (exposure) throw new Error(`Cannot use folder ${folder}: ${exposure}`);
}
