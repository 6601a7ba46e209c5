// The process that makes entries when a program has ended: one per directory, at idle priority, yielding to programs
// that start. Knows no engine.

import { clock, setTimer } from "../platform/globals.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { Attempt, LIMIT_MS, markId, sinceStart, unmark } from "./attempts.ts";
import type { EntryOrder } from "./orders.ts";

/** How long new work may begin, ms. What has begun is bounded by its processor time. */
const BEGIN_MS = 60 * 1000;

/** How long no program must have started or ended before the slow work begins, and how long that is waited for, ms. */
const [CALM_MS, MAX_WAIT_MS] = [1000, 2000];

/** How often to look around while work is done, ms. */
export const LOOK_MS = 100;

/** What is done for an order. */
export interface Steps<O extends EntryOrder> {
  /** Done at once. Returns whether something is left to do. */
  quick?(order: O): Promise<boolean>;
  /** Done when no program starts. */
  slow(order: O): void | Promise<void>;
}

/** Carries out the orders of a directory, and ends the process. */
export async function supervise<O extends EntryOrder>(orders: readonly O[], steps: Steps<O>): Promise<void> {
  const { root } = orders[0]!.target!;
  const ownMark = markId(root);
  // Whoever sleeps too long is taken for dead: the mark is another's then.
  nodeProcess().on("exit", () => markId(root) === ownMark && unmark(root));
  setTimer(endGroup, LIMIT_MS);
  const left: O[] = [];
  for (const order of orders) {
    if (!steps.quick || await leaves(order, steps.quick)) left.push(order);
  }
  giveWay();
  const calmByMs = clock() + MAX_WAIT_MS;
  while (left.length > 0 && isStarting(root) && clock() < calmByMs) {
    await new Promise<void>((resolve) => setTimer(resolve, LOOK_MS));
  }
  const untilMs = clock() + BEGIN_MS;
  for (const order of left) {
    if (clock() >= untilMs) break;
    await leaves(order, async (order) => (await steps.slow(order), false));
  }
  nodeProcess().exit(0);
}

/** Takes a step for an order. If it fails, records why, so that nobody tries again. */
async function leaves<O extends EntryOrder>(order: O, step: (order: O) => Promise<boolean>): Promise<boolean> {
  const attempt = new Attempt(order.id, order.target!);
  try {
    const isLeft = await step(order);
    if (!isLeft) attempt.end();
    return isLeft;
  } catch (error) {
    tryTo(() => attempt.note((error as Error).message));
    return false;
  }
}

/** Lowers the priority for processor and disk, of this process and those it starts. */
function giveWay(): void {
  const { constants: { priority: { PRIORITY_LOW } }, setPriority } = builtin("node:os");
  tryTo(() => setPriority(PRIORITY_LOW));
  // Linux weighs sessions before processes, and this process has one of its own.
  tryTo(() => builtin("node:fs").writeFileSync("/proc/self/autogroup", String(PRIORITY_LOW)));
  tryTo(() =>
    builtin("node:child_process").spawnSync("ionice", ["-c3", "-p", String(nodeProcess().pid)], { stdio: "ignore" })
  );
}

/** Whether programs are starting. Ends this process and its helpers if the directory is gone. */
export function isStarting(root: string): boolean {
  try {
    return sinceStart(root) < CALM_MS;
  } catch {
    return endGroup();
  }
}

/** Ends this process and those it started. */
function endGroup(): never {
  const { pid, platform } = nodeProcess();
  if (platform !== "win32") nodeProcess().kill(-pid, "SIGKILL");
  return nodeProcess().exit(1);
}

/** Runs a step whose failure only costs time. */
export function tryTo(act: () => unknown): void {
  try {
    act();
  } catch {
    // As said.
  }
}
