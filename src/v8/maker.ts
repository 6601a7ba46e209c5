// The process that makes entries when a program has ended: one for a directory, without hurry, and never in the way.

import { clock, setTimer } from "../platform/globals.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { type Grade, graded, isAtLeast } from "./artifact.ts";
import { Attempt, Entries, LIMIT_MS, sinceStart, unmark } from "./attempts.ts";
import type { Order } from "./order.ts";
import { LOOK_MS, makeArtifact, PROFILE_FOLDER, verified } from "./processes.ts";

/** For how long work is begun, ms: on one core, so of its time too. */
const BEGIN_MS = 60 * 1000;

/** For how long no program must have started or ended, and how long that is waited for, ms: some start without end. */
const [CALM_MS, MAX_WAIT_MS] = [1000, 2000];

/** Carries out the orders of a directory: what programs have optimized at once, the rest when no program starts. */
export async function supervise(orders: readonly Order[]): Promise<void> {
  const { root } = orders[0]!.target!;
  nodeProcess().on("exit", () => unmark(root));
  setTimer(endGroup, LIMIT_MS);
  sweep(`${root}/tmp`);
  const left: Order[] = [];
  for (const order of orders) if (await leaves(order, keepSnapshot)) left.push(order);
  giveWay();
  while (left.length > 0 && isStarting(root)) await new Promise<void>((resolve) => setTimer(resolve, LOOK_MS));
  const untilMs = clock() + BEGIN_MS;
  for (const order of left) if (clock() < untilMs) await leaves(order, make);
  nodeProcess().exit(0);
}

/**
 * Takes a step for an order. Where it fails, notes why, so that nobody tries again.
 *
 * @param step Tells whether something is left to do.
 */
async function leaves(order: Order, step: (order: Order) => Promise<boolean>): Promise<boolean> {
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

/** Keeps what the program's own V8 optimized, once another process has loaded it. */
async function keepSnapshot(order: Order): Promise<boolean> {
  const isLeft = order.profile !== undefined;
  // Where nothing else was executed, that is all.
  if (order.snapshot) await keep(order, isLeft ? "snapshot" : "profile", verified);
  return isLeft;
}

async function make(order: Order): Promise<boolean> {
  await keep(order, order.grade, makeArtifact);
  return false;
}

async function keep(order: Order, grade: Grade, make: typeof makeArtifact): Promise<void> {
  const { code, id, target } = order;
  const entries = new Entries(id, target!);
  const isThere = () => isAtLeast(entries.read(code) ?? new Uint8Array(), grade);
  if (isThere()) return;
  const artifact = await make(order, `${target!.root}/tmp`, () => isStarting(target!.root));
  // Somebody may have warmed it meanwhile.
  if (!isThere()) entries.write(code, graded(artifact, grade));
}

/** Lets everybody else have processors and disks first; the processes that this one starts do so too. */
function giveWay(): void {
  const { constants: { priority: { PRIORITY_LOW } }, setPriority } = builtin("node:os");
  tryTo(() => setPriority(PRIORITY_LOW));
  // Linux weighs sessions before processes, and this process has one of its own.
  tryTo(() => builtin("node:fs").writeFileSync("/proc/self/autogroup", String(PRIORITY_LOW)));
  builtin("node:child_process").spawnSync("ionice", ["-c3", "-p", String(nodeProcess().pid)], { stdio: "ignore" });
}

/** Tells whether others shall wait for programs that start; ends them all where the directory is gone. */
function isStarting(root: string): boolean {
  try {
    return sinceStart(root) < CALM_MS && clock() < MAX_WAIT_MS;
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

/** Removes what was left by processes that were killed. */
function sweep(folder: string): void {
  const { readdirSync, rmSync } = builtin("node:fs");
  // One process at a time works here: none of them is in use.
  const left = readdirSync(folder).filter((name) => name.startsWith(PROFILE_FOLDER));
  for (const name of left) tryTo(() => rmSync(`${folder}/${name}`, { recursive: true }));
}

/** Does what may fail, and only costs time where it does. */
function tryTo(act: () => unknown): void {
  try {
    act();
  } catch {
    // As said.
  }
}
