// Faults: makes every call of a lookup fail, each in its turn, and says what was wrong with what came of it. Which call may
// come to what, _outcomes.ts knows; what every lookup promises, _trials.ts.

import { assert } from "@std/assert";
import { rmSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { inMemory } from "../_tools.ts";
import { type Circumstances, outcomesOf } from "./_outcomes.ts";
import { withWatches } from "./_runtime_calls.ts";
import type { Scenario } from "./_scenarios.ts";
import { type Expectation, type Run, Trials } from "./_trials.ts";
import { type Call, CODES, type Fault, faultsOf } from "./_watch.ts";

/** All faults of one scenario, and what was wrong with what came of them. */
class Exploration<M> {
  /** Faults taken. */
  faults = 0;
  readonly #wrong = new Map<string, string[]>();
  readonly #scenario: Scenario<M>;
  readonly #isSync: boolean;
  readonly #trials: Trials<M>;
  #calls!: readonly Call[];

  constructor(scenario: Scenario<M>, { isSync, base }: { isSync: boolean; base: string }) {
    this.#scenario = scenario;
    this.#isSync = isSync;
    this.#trials = new Trials(scenario, { isSync, base });
  }

  async start(): Promise<void> {
    this.#calls = await this.#trials.start();
  }

  /** What was wrong, a line each. */
  get wrong(): string[] {
    return [...this.#wrong].map(([what, faults]) => `${what} (${[...new Set(faults)].join(" ")})`);
  }

  /** Each call fails once, in every way. */
  async failOnce(isStrict: boolean): Promise<void> {
    // Strict mode stops at the damage that another scenario is about.
    const calls = isStrict ? (await this.#trials.run(undefined, true)).watch.calls : this.#calls;
    for (const [at, call] of calls.entries()) {
      const faults = isStrict || !this.#isSync ? inTurn(faultsOf(call), at) : faultsOf(call);
      for (const fault of faults) {
        const run = await this.#trials.run((i) => i === at ? fault : undefined, isStrict);
        const outcomes = outcomesOf(call, fault, this.#circumstances(calls, at));
        await this.#check(`call ${at}, ${call.label}`, fault, run, { outcomes, isStrict });
      }
    }
  }

  /** From each call on, every call fails: the disk is gone. */
  async failForGood(): Promise<void> {
    for (const [at, call] of this.#calls.entries()) {
      for (const fault of ["EIO", "ENOENT", "EEXIST"] as const) {
        const run = await this.#trials.run((i) => i >= at ? fault : undefined);
        await this.#check(`all from call ${at} on, ${call.label}`, fault, run, {});
      }
    }
  }

  /** A call fails, and the removal of the temporary file after it. */
  async failTwice(): Promise<number> {
    let removals = 0;
    for (const [at, call] of this.#calls.entries()) {
      const { watch } = await this.#trials.run((i) => i === at ? "EIO" : undefined);
      const removal = watch.calls.findIndex(({ label }, i) => i > at && label === "remove temporary");
      if (removal < 0 || this.#calls[removal]?.label === "remove temporary") continue;
      removals++;
      for (const fault of CODES) {
        const run = await this.#trials.run((i) => i === at ? "EIO" : i === removal ? fault : undefined);
        const outcomes = outcomesOf(call, "EIO", this.#circumstances(this.#calls, at));
        await this.#check(`call ${at}, ${call.label}, then ${removal}, remove temporary`, fault, run, { outcomes });
      }
    }
    return removals;
  }

  /** The whole directory is removed before each call. */
  async removeAll(): Promise<void> {
    for (const [at, call] of this.#calls.entries()) {
      const run = await this.#trials.run((i, _call, directory) => {
        if (i === at) rmSync(directory, { recursive: true, force: true });
        return undefined;
      });
      await this.#check(`removed before call ${at}, ${call.label}`, "", run, { isRemoved: true });
    }
  }

  #circumstances(calls: readonly Call[], at: number): Circumstances {
    const { engine, maxDiskBytes } = this.#scenario;
    return {
      isBeforePrune: /^(?!unlock).* prune lock$/.test(calls[at]!.label),
      isNative: engine().native ?? false,
      isMakingRoom: maxDiskBytes !== undefined,
    };
  }

  async #check(what: string, fault: string, run: Run<M>, expectation: Expectation): Promise<void> {
    this.faults++;
    try {
      await this.#trials.check(fault, run, expectation);
    } catch (error) {
      const how = `${expectation.isStrict ? "strict, " : ""}${what}: ${(error as Error).message}`
        .replaceAll(run.directory, "DIR").replaceAll(fault, "<fault>");
      this.#wrong.set(how, [...this.#wrong.get(how) ?? [], fault]);
    }
  }
}

/**
 * Codes that the cache nowhere tells apart take turns. All of them in a synchronous run that is not strict are enough: the
 * protocol is one. TEST_LONG=1 has them all in each.
 */
function inTurn(faults: readonly Fault[], at: number): readonly Fault[] {
  if (process.env.TEST_LONG) return faults;
  const alike = ["EACCES", "EROFS", "ENOSPC", "EMFILE", "EBUSY", "EIO"];
  return faults.filter((fault) => !alike.includes(fault) || fault === alike[at % alike.length]);
}

/** Runs an exploration of a scenario, and says how much it saw. */
export function explore(
  name: string,
  scenario: Scenario<unknown>,
  body: (exploration: Exploration<unknown>) => Promise<unknown>,
): void {
  for (const isSync of [false, true]) {
    const way = isSync ? "sync" : "async";
    test(`${scenario.title} ${name}, ${way}`, { timeout: 120_000 }, () =>
      inMemory((base) =>
        withWatches(async () => {
          const exploration = new Exploration(scenario, { isSync, base });
          await exploration.start();
          await body(exploration);
          console.log(`${exploration.faults} faults: ${scenario.title} ${name}, ${way}`);
          const { wrong } = exploration;
          assert(wrong.length === 0, `${wrong.length} outcomes are wrong:\n${wrong.join("\n")}`);
        })
      ));
  }
}
