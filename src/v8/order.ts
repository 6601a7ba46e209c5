// What the processes say to each other: roles, exit codes, orders. Knows no cache.

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
  /** It runs under other V8 flags than who wants the artifact. */
  otherIdentity: 3,
  /** V8 gave back something else than it was given. */
  notTheSame: 4,
  /** It used as much processor time as it may. */
  tooLong: 5,
} as const;

/** Where an entry goes. */
export type Target = Omit<EntryPlace, "prepare">;

/** What shall be made. */
export interface Order {
  /** Identity of the process that wants it. */
  readonly id: string;
  /** How good it shall be. */
  readonly grade: Exclude<Grade, "snapshot">;
  /** The code. */
  readonly code: Bytes;
  /** Which functions are to be optimized, in V8's form; absent for all of them, as fast as the machine can. */
  readonly profile?: Bytes;
  /** An artifact that nobody has loaded yet: V8's as it was when the program ended, or the one to be verified. */
  readonly snapshot?: Bytes;
  /** Artifact of the probe, for who verifies. */
  readonly probe?: Bytes;
  /** Where the entry goes; absent where the artifact is wanted and no entry. */
  readonly target?: Target;
}

/** Makes bytes of orders, in parts: their length and text, then all that is bytes, in the order of the text. */
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

/** Makes orders of bytes. */
export function ordersIn(bytes: Bytes): Order[] {
  let at = 0;
  const next = (length: number) => bytes.slice(at, at += length);
  const [headLength] = new Uint32Array(next(4).buffer);
  // JSON has no infinity, which limits may be, and makes null of it.
  return JSON.parse(
    fromUtf8(next(headLength!)),
    (_, value) => value === null ? Infinity : value.bytes === undefined ? value : next(value.bytes),
  );
}

/**
 * Makes sure that nobody else can put files into a folder.
 *
 * @throws {Error} When somebody can.
 */
export function checkFolder(folder: string): void {
  const exposure = nodeFiles().exposure(folder).sync();
  if (exposure) throw new Error(`Cannot use folder ${folder}: ${exposure}`);
}
