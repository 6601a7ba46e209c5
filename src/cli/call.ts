// What a command is given and gives. Knows no command.

import type { ModuleCache } from "../cache.ts";
import type { ModuleCacheOptions } from "../options.ts";
import type { Chosen } from "./engines.ts";
import { escaped, plain, type Screen } from "./screen.ts";

/** A call of a command. */
export interface Call {
  /** Its arguments. */
  readonly args: readonly string[];
  /** How many modules to work on at a time. */
  readonly concurrency: number;
  /** The directory. */
  readonly directory: string;
  /** Removes nothing. */
  readonly dryRun: boolean;
  /** Prints JSON. */
  readonly json: boolean;
  /** Where it prints. */
  readonly screen: Screen;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Chooses the engine. */
  engine(): Promise<Chosen>;
  /** Opens the cache. */
  open(options?: Partial<ModuleCacheOptions>): Promise<ModuleCache>;
}

/** A command. */
export interface Command {
  /** Options besides the common ones. */
  readonly options?: readonly string[];
  /** How many arguments it takes, at least and at most. */
  readonly takes: readonly [number, number];
  /** Runs it; gives the exit code. */
  run(call: Call): Promise<number>;
}

/** Prints a value as JSON, or lines for people. Nothing in them is a command to the terminal. */
export function print({ json, screen }: Call, value: unknown, lines: () => string[]): void {
  const text = json ? JSON.stringify(value, undefined, 2) : lines().join("\n");
  for (const line of text.split("\n")) screen.out(json ? escaped(line) : plain(line));
}
