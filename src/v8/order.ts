// Protocol between the processes: roles, exit codes, orders. Types, mostly.

import type { EntryOrder } from "../background/orders.ts";
import type { Bytes } from "../engine/calls.ts";
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

/** An artifact to be made. */
export interface Order extends EntryOrder {
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
}
