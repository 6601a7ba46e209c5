// Protocol between the processes: roles, exit codes, orders. Knows no cache.

import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { fromUtf8, toUtf8 } from "../platform/globals.ts";
import { nodeFiles } from "../platform/node_files.ts";
import type { Grade } from "./artifact.ts";

/**
 * What a process does with its orders:
 *
 * - `"name"`: has V8 say under which name it looks for the profile of the code;
 * - `"optimize"`: optimizes what the profile names; `"full"`: all of a module;
 * - `"verify"`: proves that V8 gives back what it is given, and loads the artifact as a usual process would;
 * - `"supervise"`: makes entries, one after another, without hurry.
 */
export type Role = "name" | "optimize" | "full" | "verify" | "supervise";

/** Exit codes of these processes. */
export const EXITS = {
  /** Its V8 flags differ from the orderer's. */
  otherIdentity: 3,
  /** V8 returned another module than it was given. */
  notTheSame: 4,
  /** It used up its processor time. */
  tooLong: 5,
} as const;

/** Where an entry goes. */
export type Target = Omit<EntryPlace, "prepare">;

/** An artifact to be made. */
export interface Order {
  /** Identity of the ordering process. */
  readonly id: string;
  /** The grade wanted. */
  readonly grade: Exclude<Grade, "snapshot">;
  /** The code. */
  readonly code: Bytes;
  /** The functions to optimize, as V8's profile; absent for all of them, at full speed. */
  readonly profile?: Bytes;
  /** An artifact that has not been loaded yet: V8's from the end of the program, or the one to verify. */
  readonly snapshot?: Bytes;
  /** Artifact of the probe, for verifying. */
  readonly probe?: Bytes;
  /** Where the entry goes; absent if only the artifact is wanted. */
  readonly target?: Target;
}

/** Encodes orders in parts: length and text, then all byte fields in the order of the text. */
export function partsOf(orders: readonly Order[]): Uint8Array[] {
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
export function ordersIn(bytes: Bytes): Order[] {
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
