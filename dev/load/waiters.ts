// Rounds of the stress test in which the holder of a lock is killed while others wait for it: how soon one goes on.

import type { Runtime } from "../tools.ts";
import { faultOf, goTogether, inScratch, Load } from "./processes.ts";
import { type Logged, readLog, type Wanted } from "./stress_plan.ts";

const WANTED: Wanted = { engine: "slow", name: "code" };

/** How long the holder would take, ms: it dies before. */
const HOLDER_COMPILE_MS = 60_000;

/** How long a waiter takes once it has the lock, ms. */
const WAITER_COMPILE_MS = 20;

/** How long waiters are left waiting, ms: so long that what they do then they would do for ever. */
const WAIT_MS = 2500;

/** What a round came to. */
export interface WaitersResult {
  /** What was wrong. */
  readonly faults: string[];
  /** From the kill to the begin of a waiter's compile, ms; `NaN` where none came. */
  readonly delayMs: number;
}

/** Has one process hold the lock and the others wait for it, then kills the holder after some more time. */
export async function killHolder(
  holder: Runtime,
  others: readonly Runtime[],
  moreMs: number,
): Promise<WaitersResult> {
  return await inScratch(async (scratch) => {
    const plan = { directory: `${scratch}/cache`, log: `${scratch}/log`, lanes: [[WANTED]] };
    const holding = new Load(holder, "stress_worker.ts", { ...plan, compileMs: HOLDER_COMPILE_MS });
    await holding.go();
    const waiters = others.map((runtime) =>
      new Load(runtime, "stress_worker.ts", { ...plan, compileMs: WAITER_COMPILE_MS })
    );
    await holding.said(`compile ${WANTED.name}`);
    await goTogether(waiters);
    await Promise.all(waiters.map((waiter) => waiter.said(`lookup ${WANTED.name}`)));
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS + moreMs));
    const killedMs = Date.now();
    holding.kill();
    const ended = await Promise.all(waiters.map((waiter) => waiter.ended));
    const { signal } = await holding.ended;
    const faults = waiters.flatMap((waiter, i) => faultOf(waiter, ended[i]!));
    if (signal !== "SIGKILL") faults.push(`the holder on ${holder.name} ended before it was killed`);
    return judge(readLog(plan.log).filter(({ pid }) => pid !== holding.pid), killedMs, faults);
  });
}

function judge(log: readonly Logged[], killedMs: number, faults: string[]): WaitersResult {
  const [first, ...more] = log.filter(({ event }) => event === "compile");
  if (!first) faults.push("no waiter compiled");
  if (first && first.atMs < killedMs) faults.push(`a waiter compiled ${killedMs - first.atMs} ms before the kill`);
  if (more.length > 0) faults.push(`${more.length + 1} waiters compiled`);
  return { faults, delayMs: first ? first.atMs - killedMs : NaN };
}
