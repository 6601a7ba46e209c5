// Processes of all runtimes on one cold directory: each code is compiled once, some are killed, others wait for the dead.
// `dev/stress.ts --rounds=200 --seed=1`: the seed of a run that failed chooses the same kills again.

import { killSome, type KillsResult } from "./load/kills.ts";
import { compileTogether, type OnceResult } from "./load/once.ts";
import { randomFrom } from "./load/random.ts";
import { count, medianOf, numbersIn, type Tally, those } from "./load/tally.ts";
import { killHolder } from "./load/waiters.ts";
import { chooseConfig, findRuntimes, installPackages, type Runtime } from "./tools.ts";

/** What is done how often, and where. */
export interface StressOptions {
  /** How many rounds with kills; the other kinds are fewer. */
  readonly rounds: number;
  /** The runtimes that take part. */
  readonly runtimes: readonly Runtime[];
  /** Chooses orders and kills; another one each time by default. */
  readonly seed?: number;
}

/** How soon a waiter is to go on when the holder of its lock died, ms. */
const WANTED_DELAY_MS = 100;

/** How late it may be on a machine that is busy with other things, ms. */
const MAX_DELAY_MS = 2000;

/** Time in which the holders of a round are killed, ms. */
const STAGGER_MS = 500;

/** Length of a round with kills before one was measured, ms. */
const FIRST_LENGTH_MS = 1000;

/** Does all rounds and prints their figures; gives how many passed and failed. */
export async function stress({ rounds, runtimes, seed = Date.now() % 1_000_000 }: StressOptions): Promise<Tally> {
  console.log(`stress: ${rounds} rounds, seed ${seed}`);
  const tally = { passed: 0, failed: 0 };
  const locking = those(runtimes, "Deno", "Bun", "Node 26");
  await warmUp(runtimes, tally);
  await compileOnce(locking, { tally, seed, isLocked: true, rounds: Math.ceil(rounds / 5) });
  await compileOnce(runtimes, { tally, seed, isLocked: false, rounds: Math.ceil(rounds / 10) });
  await killAtRandom(runtimes, { tally, seed, rounds });
  await killHolders(locking, { tally, seed, rounds: Math.ceil(rounds / 10) });
  return tally;
}

/** Has each runtime load all it needs once: Deno says on stderr what it loads. */
async function warmUp(runtimes: readonly Runtime[], tally: Tally): Promise<void> {
  const { faults } = await compileTogether(runtimes, { random: randomFrom(0), processes: 1, isLocked: false });
  count(tally, "warming up", faults);
}

async function compileOnce(
  runtimes: readonly Runtime[],
  { tally, seed, isLocked, rounds }: { tally: Tally; seed: number; isLocked: boolean; rounds: number },
): Promise<void> {
  const random = randomFrom(seed);
  const processes = isLocked ? 2 : 1;
  const startMs = performance.now();
  const results: OnceResult[] = [];
  for (let round = 1; round <= rounds; round++) {
    const result = await compileTogether(runtimes, { random, processes, isLocked });
    count(tally, `${isLocked ? "one compile for each code" : "without locks"}, round ${round}`, result.faults);
    results.push(result);
  }
  const sum = (name: "compiles" | "keys" | "lookups") => results.reduce((sum, result) => sum + result[name], 0);
  console.log(
    `${isLocked ? "once" : "without locks"}: ${rounds} rounds of ${runtimes.length * processes} processes (${
      namesOf(runtimes)
    }): ${sum("compiles")} compiles of ${sum("keys")} codes, ${sum("lookups")} lookups${since(startMs)}`,
  );
}

async function killAtRandom(
  runtimes: readonly Runtime[],
  { tally, seed, rounds }: { tally: Tally; seed: number; rounds: number },
): Promise<void> {
  const startMs = performance.now();
  const results: KillsResult[] = [];
  for (let round = 1; round <= rounds; round++) {
    const lengthMs = results.length > 0 ? medianOf(results.map(({ lengthMs }) => lengthMs)) : FIRST_LENGTH_MS;
    const result = await killSome(runtimes, seed + round, lengthMs);
    count(tally, `kills, round ${round} of seed ${seed}`, result.faults);
    results.push(result);
  }
  const hitRounds = results.filter(({ hits }) => hits > 0).length;
  count(tally, "kills", hitRounds * 2 > rounds ? [] : [`only ${hitRounds} of ${rounds} rounds had a kill that hit`]);
  printKills(results, hitRounds, startMs);
}

function printKills(results: readonly KillsResult[], hitRounds: number, startMs: number): void {
  const sum = (name: Exclude<keyof KillsResult, "faults">) => results.reduce((sum, result) => sum + result[name], 0);
  console.log(
    `kills: ${sum("hits")} of ${sum("aimed")} hit, in ${hitRounds} of ${results.length} rounds: ${
      sum("compiling")
    } in a ` +
      `compile, ${sum("locking")} with a lock, ${sum("leftovers")} temporary files left; ${
        sum("survivors")
      } processes ` +
      `lived, ${sum("entries")} entries whole${since(startMs)}`,
  );
}

async function killHolders(
  runtimes: readonly Runtime[],
  { tally, seed, rounds }: { tally: Tally; seed: number; rounds: number },
): Promise<void> {
  const random = randomFrom(seed);
  const startMs = performance.now();
  const delays: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    // At once, for they do little but wait; but not in step, so that each kill meets the waiters elsewhere.
    await Promise.all(runtimes.map(async (holder) => {
      const others = runtimes.filter((runtime) => runtime !== holder);
      const { faults, delayMs } = await killHolder(holder, others, random() * STAGGER_MS);
      if (delayMs > MAX_DELAY_MS) faults.push(`a waiter went on ${delayMs} ms after the kill`);
      count(tally, `holder on ${holder.name} killed, round ${round}`, faults);
      delays.push(delayMs);
    }));
  }
  const worst = Math.max(...delays);
  console.log(
    `waiters: ${delays.length} holders killed (${namesOf(runtimes)}), a waiter compiles ${
      medianOf(delays)
    } ms after, at ` +
      `most ${worst}: ${worst <= WANTED_DELAY_MS ? "within" : "NOT WITHIN"} ${WANTED_DELAY_MS} ms${since(startMs)}`,
  );
}

function namesOf(runtimes: readonly Runtime[]): string {
  return runtimes.map(({ name }) => name.replace(/\..*/, "")).join(", ");
}

function since(startMs: number): string {
  return `; ${((performance.now() - startMs) / 1000).toFixed(0)} s`;
}

if (import.meta.main) {
  const { rounds, seed } = numbersIn(Deno.args, { rounds: 20, seed: undefined });
  const config = await chooseConfig();
  await installPackages();
  const { passed, failed } = await stress({ rounds: rounds!, seed, runtimes: await findRuntimes(config) });
  console.log(`${passed} passed, ${failed} failed`);
  Deno.exit(failed > 0 || passed === 0 ? 1 : 0);
}
