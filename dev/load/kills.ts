// Rounds of the stress test in which processes are killed at random moments: those that live get what they asked for, no
// entry is damaged, and what the dead leave behind is swept.

import type { Runtime } from "../tools.ts";
import { damageIn, entriesIn, temporariesIn } from "./entries.ts";
import { type Ended, faultOf, goTogether, inScratch, Load } from "./processes.ts";
import { below, type Random, randomFrom, shuffled } from "./random.ts";
import { lastEvents, type Logged, readLog, type StressEvent, type StressPlan, type Wanted } from "./stress_plan.ts";

/** Processes of a round. */
const PROCESSES = 6;

/** Most processes that are killed in a round. */
const MAX_KILLS = 3;

/** How long the slow engine takes, ms. */
const COMPILE_MS = 80;

/** Lengths of the slow engine's artifacts, bytes: large ones take time to write. */
const ARTIFACT_BYTES = [1000, 2_000_000, 3_000_000, 6_000_000, 1_000_000, 4_000_000];

/** How long after a compile an artifact is being written at most, ms. */
const WRITE_MS = 40;

/** How long after it was written a file is swept, with much to spare, ms. */
const LONG_AFTER_MS = 2 * 3_600_000;

/** What a round came to. */
export interface KillsResult {
  /** What was wrong. */
  readonly faults: string[];
  /** Kills that were to be. */
  readonly aimed: number;
  /** Kills that hit a process alive. */
  readonly hits: number;
  /** Of these: while it compiled. */
  readonly compiling: number;
  /** Of these: while it held a lock. */
  readonly locking: number;
  /** Temporary files that were left. */
  readonly leftovers: number;
  /** Entries that were looked at. */
  readonly entries: number;
  /** Processes that lived. */
  readonly survivors: number;
  /** How long the round took from the start to the last survivor's end, ms. */
  readonly lengthMs: number;
}

/**
 * Starts processes, kills some, and looks at what is left.
 *
 * @param lengthMs How long a round takes: kills come at any moment of it.
 */
export async function killSome(runtimes: readonly Runtime[], seed: number, lengthMs: number): Promise<KillsResult> {
  const random = randomFrom(seed);
  return await inScratch(async (scratch) => {
    const [directory, log] = [`${scratch}/cache`, `${scratch}/log`];
    const loads = pick(runtimes, random).map((runtime) =>
      new Load(runtime, "stress_worker.ts", planOf(directory, log, random))
    );
    const ends = Promise.all(loads.map((load) => load.ended));
    await goTogether(loads);
    const startMs = performance.now();
    const aimed = killLater(loads, random, lengthMs);
    const ended = await ends;
    const figures = { aimed, lengthMs: performance.now() - startMs, ...figuresOf(loads, ended, readLog(log)) };
    const left = { entries: entriesIn(directory).length, leftovers: temporariesIn(directory).length };
    const sweeper = runtimes[below(random, runtimes.length)]!;
    const faults = [
      ...loads.flatMap((load, i) => ended[i]!.signal === "SIGKILL" ? late(ended[i]!) : faultOf(load, ended[i]!)),
      ...await damageIn(directory),
      ...await sweep(sweeper, directory, log),
    ];
    return { faults, ...figures, ...left };
  });
}

/** What the dead were doing. */
function figuresOf(loads: readonly Load[], ended: readonly Ended[], log: readonly Logged[]) {
  const dead = loads.filter((_, i) => ended[i]!.signal === "SIGKILL");
  const doing = (events: StressEvent[]) => (load: Load) =>
    lastEvents(log, load.pid).some((event) => events.includes(event));
  return {
    hits: dead.length,
    survivors: loads.length - dead.length,
    compiling: dead.filter(doing(["compile"])).length,
    // The lock is given back when the entry is written.
    locking: dead.filter(canLock).filter(doing(["compile", "compiled"])).length,
  };
}

/** A process that was killed has nothing to complain of, unless it was killed for taking too long. */
function late({ stderr }: Ended): string[] {
  return stderr === "" ? [] : [stderr];
}

/** Each runtime once, and one or more of them again. */
function pick(runtimes: readonly Runtime[], random: Random): Runtime[] {
  const picked = shuffled(random, runtimes);
  while (picked.length < PROCESSES) picked.push(runtimes[below(random, runtimes.length)]!);
  return picked.slice(0, PROCESSES);
}

/** Codes of both engines in an order of its own, three things at a time: so that a death leaves several undone. */
function planOf(directory: string, log: string, random: Random): StressPlan {
  const slow = ARTIFACT_BYTES.map((artifactBytes, i): Wanted => ({ engine: "slow", name: `code ${i}`, artifactBytes }));
  const large = Array.from({ length: 3 }, (_, i): Wanted => (
    { engine: "host", name: `sqlite ${i}`, isSync: random() < 0.3 }
  ));
  const order = shuffled(random, slow);
  return {
    directory,
    log,
    compileMs: COMPILE_MS,
    lanes: [order.slice(0, 3), order.slice(3), shuffled(random, large)],
  };
}

/** Half of the kills come at any moment of the round, half when the victim writes an artifact, or else at such a moment. */
function killLater(loads: readonly Load[], random: Random, lengthMs: number): number {
  const chosen = shuffled(random, loads).slice(0, 1 + below(random, MAX_KILLS));
  for (const load of chosen) {
    const timers = [setTimeout(() => load.kill(), random() * lengthMs)];
    const [isAimed, delayMs] = [random() < 0.5, random() * WRITE_MS];
    if (isAimed) load.said("compiled ").then(() => timers.push(setTimeout(() => load.kill(), delayMs)));
    load.ended.then(() => timers.forEach(clearTimeout));
  }
  return chosen.length;
}

/** Whether a runtime takes the locks that the others see. */
function canLock({ runtime: { name } }: Load): boolean {
  return !/^Node 2[0-5]/.test(name);
}

/** Has a new process prune, as if all that was left behind was old, and look everything up. */
async function sweep(runtime: Runtime, directory: string, log: string): Promise<string[]> {
  const plan = { ...planOf(directory, log, randomFrom(0)), prunesInMs: LONG_AFTER_MS };
  const load = new Load(runtime, "stress_worker.ts", plan);
  await load.go();
  return [
    ...faultOf(load, await load.ended),
    ...temporariesIn(directory).map(({ path }) => `${path} was not swept`),
    ...await damageIn(directory),
  ];
}
