// The process that makes entries when a program has ended: one per directory, at idle priority, yielding to programs
// that start.

import { clock, now, setTimer } from "../platform/globals.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { type Grade, graded, isAtLeast } from "./artifact.ts";
import { Attempt, Entries, LIMIT_MS, markId, sinceStart, unmark } from "./attempts.ts";
import type { Order } from "./order.ts";
import { LOOK_MS, makeArtifact, PROFILE_FOLDER, verified } from "./processes.ts";

/** How long new work may begin, ms. What has begun is bounded by its processor time. */
const BEGIN_MS = 60 * 1000;

/** How long no program must have started or ended before the slow work begins, and how long that is waited for, ms. */
const [CALM_MS, MAX_WAIT_MS] = [1000, 2000];

/**
 * Carries out the orders of a directory: stores what programs have optimized at once, makes the rest when no program
 * starts.
 */
export async function supervise(orders: readonly Order[]): Promise<void> {
  const { root } = orders[0]!.target!;
  const ownMark = markId(root);
  // Whoever sleeps too long is taken for dead: the mark is another's then.
  nodeProcess().on("exit", () => markId(root) === ownMark && unmark(root));
  setTimer(endGroup, LIMIT_MS);
  sweep(`${root}/tmp`);
  const left: Order[] = [];
  for (const order of orders) if (await leaves(order, keepSnapshot)) left.push(order);
  giveWay();
  const calmByMs = clock() + MAX_WAIT_MS;
  while (left.length > 0 && isStarting(root) && clock() < calmByMs) {
    await new Promise<void>((resolve) => setTimer(resolve, LOOK_MS));
  }
  const untilMs = clock() + BEGIN_MS;
  for (const order of left) if (clock() < untilMs) await leaves(order, make);
  nodeProcess().exit(0);
}

/**
 * Takes a step for an order. If it fails, records why, so that nobody tries again.
 *
 * @param step Takes the step. Returns whether something is left to do.
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

/** Stores what the program's own V8 has optimized, once another process has loaded it. */
async function keepSnapshot(order: Order): Promise<boolean> {
  const isLeft = order.profile !== undefined;
  // If nothing else was executed, that is all.
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
  const artifact = await make(order, `${target!.root}/tmp`, () => void isStarting(target!.root));
  // Someone may have warmed it meanwhile.
  if (!isThere()) entries.write(code, graded(artifact, grade));
}

/** Lowers the priority for processor and disk, of this process and those it starts. */
function giveWay(): void {
  const { constants: { priority: { PRIORITY_LOW } }, setPriority } = builtin("node:os");
  tryTo(() => setPriority(PRIORITY_LOW));
  // Linux weighs sessions before processes, and this process has one of its own.
  tryTo(() => builtin("node:fs").writeFileSync("/proc/self/autogroup", String(PRIORITY_LOW)));
  builtin("node:child_process").spawnSync("ionice", ["-c3", "-p", String(nodeProcess().pid)], { stdio: "ignore" });
}

/** Whether programs are starting. Ends this process and its helpers if the directory is gone. */
function isStarting(root: string): boolean {
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

/** Removes leftovers of killed processes. */
function sweep(folder: string): void {
  const { lstatSync, readdirSync, rmSync } = builtin("node:fs");
  for (const name of readdirSync(folder).filter((name) => name.startsWith(PROFILE_FOLDER))) {
    const path = `${folder}/${name}`;
    // A younger one may be in use, where another process works in spite of the mark.
    tryTo(() => Math.abs(now() - lstatSync(path).mtimeMs) > LIMIT_MS && rmSync(path, { recursive: true }));
  }
}

/** Runs a step whose failure only costs time. */
function tryTo(act: () => unknown): void {
  try {
    act();
  } catch {
    // As said.
  }
}
