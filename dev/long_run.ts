// Processes of all runtimes look thousands of small modules up for minutes, under all sizes of limits: memory and
// descriptors stay flat, the disk within its limit. `dev/long_run.ts --minutes=30` is the long form.

import { watch, type Watched } from "./load/disk_watch.ts";
import { damageIn, temporariesIn } from "./load/entries.ts";
import type { LongPlan, Phase } from "./load/long_plan.ts";
import { faultOf, goTogether, inScratch, Load, READY } from "./load/processes.ts";
import { MODULE_COUNT } from "./load/small_modules.ts";
import { count, numbersIn, type Tally } from "./load/tally.ts";
import {
  countFaults,
  descriptorFaults,
  diskFaults,
  lookupFaults,
  lookupsOf,
  megabytes,
  memoryFaults,
  memoryOf,
  mostAllowed,
  type Reported,
} from "./load/verdict.ts";
import { chooseConfig, findRuntimes, installPackages, type Runtime } from "./tools.ts";

/** How long, and where. */
export interface LongRunOptions {
  /** Time of the whole run. */
  readonly minutes: number;
  /** The runtimes that take part, a process of each. */
  readonly runtimes: readonly Runtime[];
}

/** Limits of the disk, bytes, and the part of the time that each has: all entries would come to 40 MB. */
const LIMITS: readonly [maxDiskBytes: number, part: number][] = [
  [4_000_000, 0.4],
  [100_000, 0.15],
  [10_000_000, 0.15],
  [64_000_000, 0.15],
  [0, 0.15],
];

/** How often each limit has its time: so that what is early can be compared to what is late. */
const CYCLES = 4;

/** Reports of a process in the whole run. */
const REPORTS = 40;

/** Wanted lookups; fewer are told, for they are the machine's fault. */
const WANTED_LOOKUPS = 50_000;

/** Runs all processes and prints their figures; gives how many checks passed and failed. */
export async function longRun({ minutes, runtimes }: LongRunOptions): Promise<Tally> {
  const tally = { passed: 0, failed: 0 };
  await inScratch(async (scratch) => {
    const phases = phasesOf(scratch, minutes * 60_000);
    const loads = runtimes.map((runtime, worker) => {
      const plan: LongPlan = { phases, worker, reportMs: minutes * 60_000 / REPORTS };
      return new Load(runtime, "long_worker.ts", plan, { limitMs: minutes * 60_000 + 120_000 });
    });
    await goTogether(loads);
    const ends = Promise.all(loads.map((load) => load.ended));
    const watched = await watch(phases, ends);
    const ended = await ends;
    const all = loads.map(({ runtime: { name } }, i): Reported => ({
      name,
      reports: ended[i]!.lines.filter((line) => line !== READY).map((line) => JSON.parse(line)),
    }));
    for (const [i, load] of loads.entries()) count(tally, "process", faultOf(load, ended[i]!));
    judgeProcesses(all, tally);
    await judgeDisk(watched, tally, loads.length);
    printProcesses(all);
    printDisk(watched, loads.length);
  });
  return tally;
}

function phasesOf(scratch: string, wholeMs: number): Phase[] {
  const cycle = LIMITS.map(([maxDiskBytes, part]): Phase => ({
    directory: `${scratch}/${maxDiskBytes}`,
    maxDiskBytes,
    lengthMs: wholeMs * part / CYCLES,
  }));
  return Array.from({ length: CYCLES }, () => cycle).flat();
}

function judgeProcesses(all: readonly Reported[], tally: Tally): void {
  count(tally, "number of lookups", countFaults(all));
  for (const reported of all) {
    count(tally, "lookups", lookupFaults(reported));
    count(tally, "memory", memoryFaults(reported));
    count(tally, "descriptors", descriptorFaults(reported));
  }
}

async function judgeDisk(all: readonly Watched[], tally: Tally, processes: number): Promise<void> {
  for (const watched of all) {
    const { directory } = watched;
    count(tally, "limit of the disk", diskFaults(watched, processes));
    count(tally, "entries", [
      ...await damageIn(directory),
      ...temporariesIn(directory).map(({ path }) => `${path} was left behind`),
    ]);
  }
}

function printProcesses(all: readonly Reported[]): void {
  const lookups = all.reduce((sum, reported) => sum + lookupsOf(reported), 0);
  const few = lookups < WANTED_LOOKUPS ? `, FEWER THAN ${WANTED_LOOKUPS}` : "";
  console.log(`\nlong run: ${lookups} lookups of ${MODULE_COUNT} modules with two engines${few}`);
  console.log("| process | lookups | memory | disk | compiled | RSS early / late, MB | heap, MB | descriptors |");
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const reported of all) {
    const { early, late } = memoryOf(reported);
    const [first, last] = [reported.reports[0], reported.reports.at(-1)];
    const { memory, disk, compiled } = last?.from ?? {};
    const figures = [memory, disk, compiled, `${megabytes(early)} / ${megabytes(late)}`];
    const heap = `${megabytes(first?.heapBytes ?? NaN)} / ${megabytes(last?.heapBytes ?? NaN)}`;
    const descriptors = `${first?.descriptors} / ${last?.descriptors}`;
    console.log(`| ${[reported.name, lookupsOf(reported), ...figures, heap, descriptors].join(" | ")} |`);
  }
}

function printDisk(all: readonly Watched[], processes: number): void {
  console.log("\n| limit of the disk, MB | most at once, MB | most allowed, MB | files | looks | prunes seen |");
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const { maxDiskBytes, mostBytes, mostFiles, looks, prunes } of all) {
    const allowed = megabytes(mostAllowed(maxDiskBytes, processes));
    const figures = [megabytes(maxDiskBytes), megabytes(mostBytes), allowed, mostFiles, looks, prunes];
    console.log(`| ${figures.join(" | ")} |`);
  }
}

if (import.meta.main) {
  const { minutes } = numbersIn(Deno.args, { minutes: 2 });
  const config = await chooseConfig();
  await installPackages();
  const { passed, failed } = await longRun({ minutes, runtimes: await findRuntimes(config) });
  console.log(`${passed} passed, ${failed} failed`);
  Deno.exit(failed > 0 || passed === 0 ? 1 : 0);
}
