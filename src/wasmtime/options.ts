// What callers give the Wasmtime engine, checked.

import { describe } from "../bytes.ts";
import type { Settings } from "./settings.ts";
import type { StoreLimits } from "./store.ts";

/** Options of the Wasmtime engine. */
export interface WasmtimeOptions {
  /** Path or `file:` URL of Wasmtime's library. Absent: it is looked for, as docs/engines.md says. */
  library?: string | URL;
  /**
   * What the code is optimized for. `"none"` compiles a little faster.
   *
   * @default {"speed"}
   */
  optimize?: "speed" | "speed-and-size" | "none";
  /**
   * Whether code counts fuel, so that instances can be given a limit. It then takes up to three times as long.
   *
   * @default {false}
   */
  fuel?: boolean;
  /**
   * Whether code can be interrupted, so that instances can be given a deadline. Costs next to nothing.
   *
   * @default {false}
   */
  deadlines?: boolean;
  /**
   * Whether operations give only one of the many NaNs, so that results are the same on every machine.
   *
   * @default {false}
   */
  canonicalNaN?: boolean;
  /**
   * Most bytes of a thread's stack that WebAssembly uses; from 64 KiB to 768 KiB. In workers of Bun and Node, whose
   * stacks JavaScript nearly fills, never more than 96 KiB.
   *
   * @default {524288}
   */
  maxWasmStackBytes?: number;
}

/** Limits of an instance, and of those that share something with it. */
export interface InstanceOptions extends StoreLimits {
  /** Fuel, in Wasmtime's units: about one for each instruction. Needs the engine's option `fuel`. */
  readonly fuel?: bigint;
  /** How long one call may take, ms, to 10 ms. Needs the engine's option `deadlines`. */
  readonly deadlineMs?: number;
  /** Most bytes of each memory: to grow further fails, as out of memory does. */
  readonly maxMemoryBytes?: number;
  /** Most elements of each table. */
  readonly maxTableElements?: number;
}

/** Less than a call needs, and more than threads have beside what the runtimes use themselves: both end the process. */
const [MIN_STACK_BYTES, MAX_STACK_BYTES] = [64 * 1024, 768 * 1024];

/**
 * Checks the options of an engine.
 *
 * @throws {TypeError | RangeError} When one is invalid.
 */
export function settingsOf(options: WasmtimeOptions): Settings {
  const { optimize = "speed", maxWasmStackBytes = 512 * 1024 } = options;
  if (!["speed", "speed-and-size", "none"].includes(optimize)) {
    throw new TypeError(
      `Cannot use optimize: it must be "speed", "speed-and-size" or "none", not ${describe(optimize)}`,
    );
  }
  const flag = (name: "fuel" | "deadlines" | "canonicalNaN") => {
    const value = options[name] ?? false;
    if (typeof value !== "boolean") throw new TypeError(`Cannot use ${name}: not a boolean but ${describe(value)}`);
    return value;
  };
  if (typeof maxWasmStackBytes !== "number") {
    throw new TypeError(`Cannot use maxWasmStackBytes: not a number but ${describe(maxWasmStackBytes)}`);
  }
  if (
    !(Number.isInteger(maxWasmStackBytes) && maxWasmStackBytes >= MIN_STACK_BYTES) ||
    maxWasmStackBytes > MAX_STACK_BYTES
  ) {
    throw new RangeError(`Cannot use maxWasmStackBytes: it must be from ${MIN_STACK_BYTES} to ${MAX_STACK_BYTES}`);
  }
  return {
    optimize,
    fuel: flag("fuel"),
    deadlines: flag("deadlines"),
    canonicalNaN: flag("canonicalNaN"),
    maxWasmStackBytes,
  };
}

/**
 * Checks the options of an instance.
 *
 * @throws {TypeError | RangeError} When one is invalid, or the engine lacks what it needs.
 */
export function limitsOfInstance(options: InstanceOptions, settings: Settings): StoreLimits {
  const { fuel, deadlineMs, maxMemoryBytes, maxTableElements } = options;
  if (fuel !== undefined) checkFuel(fuel);
  if (fuel !== undefined && !settings.fuel) throw new TypeError("Cannot use fuel: the engine was made without");
  if (deadlineMs !== undefined && !settings.deadlines) {
    throw new TypeError("Cannot use deadlineMs: the engine was made without deadlines");
  }
  for (const [name, value] of Object.entries({ deadlineMs, maxMemoryBytes, maxTableElements })) {
    if (value === undefined) continue;
    if (typeof value !== "number") throw new TypeError(`Cannot use ${name}: not a number but ${describe(value)}`);
    if (!(value >= 0 && value <= MAX_LIMIT)) throw new RangeError(`Cannot use ${name}: ${value}`);
  }
  const whole = (value: number | undefined) => value === undefined ? undefined : Math.floor(value);
  return { fuel, deadlineMs, maxMemoryBytes: whole(maxMemoryBytes), maxTableElements: whole(maxTableElements) };
}

/**
 * Checks an amount of fuel.
 *
 * @throws {TypeError | RangeError} When it is none.
 */
export function checkFuel(fuel: unknown): void {
  if (typeof fuel !== "bigint") throw new TypeError(`Cannot use fuel: not a bigint but ${describe(fuel)}`);
  if (fuel < 0n || fuel > MAX_FUEL) throw new RangeError(`Cannot use fuel: ${fuel}`);
}

/** What the C API takes. */
const [MAX_LIMIT, MAX_FUEL] = [2 ** 52, 2n ** 62n];
