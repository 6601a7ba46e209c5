// Orders for the processes that compile by Cranelift, and how they answer.

import type { EntryOrder } from "../background/orders.ts";
import type { Bytes } from "../engine/calls.ts";
import type { Settings } from "./settings.ts";

/**
 * What a process does with its orders:
 *
 * - `"make"`: compiles one code by all processors, and gives the artifact;
 * - `"supervise"`: makes entries, one after another, without hurry.
 */
export type Role = "make" | "supervise";

/** Exit code of a process whose code Wasmtime refused. */
export const REFUSED = 3;

/** An artifact to be made. */
export interface Order extends EntryOrder {
  /** Path of the library. */
  readonly library: string;
  /** What decides the code. */
  readonly settings: Settings;
  /** The code. */
  readonly code: Bytes;
}
