// Rounds of the stress test in which nobody dies: one compile for each code among processes that see each other's locks,
// and the right module for all everywhere.

import type { Runtime } from "../tools.ts";
import { damageIn, entriesIn, temporariesIn } from "./entries.ts";
import { faultOf, goTogether, inScratch, Load } from "./processes.ts";
import { type Random, shuffled } from "./random.ts";
import { type Logged, readLog, type StressPlan, type Wanted } from "./stress_plan.ts";

/** How long the slow engine takes, ms: so that all are there before the first compile is over. */
const COMPILE_MS = 250;

/** Codes of the slow engine in a round. */
const KEYS = 8;

/** Modules of the host engine in a round. */
const MODULES = ["sqlite 0", "sqlite 1", "esbuild 0"];

/** What a round came to. */
export interface OnceResult {
  /** What was wrong. */
  readonly faults: string[];
  /** Compiles of the slow engine. */
  readonly compiles: number;
  /** Codes of the slow engine. */
  readonly keys: number;
  /** Lookups that gave a module. */
  readonly lookups: number;
}

/** How a round goes. */
export interface OnceOptions {
  /** Orders lookups. */
  readonly random: Random;
  /** Processes of each runtime. */
  readonly processes: number;
  /** Whether each code may be compiled once only. */
  readonly isLocked: boolean;
}

/** Has processes look up the same codes at once in a cold directory. */
export async function compileTogether(
  runtimes: readonly Runtime[],
  { random, processes, isLocked }: OnceOptions,
): Promise<OnceResult> {
  return await inScratch(async (scratch) => {
    const directory = `${scratch}/cache`;
    const log = `${scratch}/log`;
    const loads = runtimes.flatMap((runtime) =>
      Array.from({ length: processes }, () => new Load(runtime, "stress_worker.ts", planOf(directory, log, random)))
    );
    await goTogether(loads);
    const ended = await Promise.all(loads.map((load) => load.ended));
    const lines = readLog(log);
    const faults = [
      ...loads.flatMap((load, i) => faultOf(load, ended[i]!)),
      ...(isLocked ? compiledTwice(lines) : []),
      ...await damageIn(directory),
      ...temporariesIn(directory).map(({ path }) => `${path} was left behind`),
    ];
    const missing = KEYS + MODULES.length - entriesIn(directory).length;
    if (missing > 0) faults.push(`${missing} entries were not written`);
    return {
      faults,
      keys: KEYS,
      compiles: ofEvent(lines, "compile").length,
      lookups: ofEvent(lines, "resolved").length,
    };
  });
}

/** All codes, each process in an order of its own; those of the slow engine at once, the large ones one by one. */
function planOf(directory: string, log: string, random: Random): StressPlan {
  const slow = Array.from({ length: KEYS }, (_, i): Wanted => ({ engine: "slow", name: `code ${i}` }));
  const large: Wanted[] = MODULES.map((name) => ({ engine: "host", name }));
  const lanes = [...shuffled(random, slow).map((wanted) => [wanted]), shuffled(random, large)];
  return { directory, log, compileMs: COMPILE_MS, lanes };
}

function compiledTwice(lines: readonly Logged[]): string[] {
  const counts = new Map<string, number>();
  for (const { name } of ofEvent(lines, "compile")) counts.set(name, (counts.get(name) ?? 0) + 1);
  const often = [...counts].filter(([, count]) => count !== 1);
  return often.map(([name, count]) => `${name} was compiled ${count} times`);
}

function ofEvent(lines: readonly Logged[], event: Logged["event"]): Logged[] {
  return lines.filter((line) => line.event === event);
}
