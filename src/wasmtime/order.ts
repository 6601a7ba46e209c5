// Orders for the processes that compile by Cranelift. Types only.

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

/** An artifact to be made. */
export interface Order extends EntryOrder {
  /** Path of the library. */
  readonly library: string;
  /** What decides the code. */
  readonly settings: Settings;
  /** The code. */
  readonly code: Bytes;
}
