// What is made in the background for V8: what programs have optimized at once, the rest when no program starts.

import { Entries, LIMIT_MS } from "../background/attempts.ts";
import { isStarting, supervise, tryTo } from "../background/supervisor.ts";
import { now } from "../platform/globals.ts";
import { builtin } from "../platform/node_builtins.ts";
import { type Grade, graded, isAtLeast } from "./artifact.ts";
import type { Order } from "./order.ts";
import { makeArtifact, PROFILE_FOLDER, verified } from "./processes.ts";

/** Carries out the orders of a directory, and ends the process. */
export async function make(orders: readonly Order[]): Promise<void> {
  sweep(`${orders[0]!.target!.root}/tmp`);
  await supervise(orders, { quick: keepSnapshot, slow: (order) => keep(order, order.grade, makeArtifact) });
}

/** Stores what the program's own V8 has optimized, once another process has loaded it. */
async function keepSnapshot(order: Order): Promise<boolean> {
  const isLeft = order.profile !== undefined;
  // If nothing else was executed, that is all.
  if (order.snapshot) await keep(order, isLeft ? "snapshot" : "profile", verified);
  return isLeft;
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

/** Removes leftovers of killed processes. */
function sweep(folder: string): void {
  const { lstatSync, readdirSync, rmSync } = builtin("node:fs");
  for (const name of readdirSync(folder).filter((name) => name.startsWith(PROFILE_FOLDER))) {
    const path = `${folder}/${name}`;
    // A younger one may be in use, where another process works in spite of the mark.
    tryTo(() => Math.abs(now() - lstatSync(path).mtimeMs) > LIMIT_MS && rmSync(path, { recursive: true }));
  }
}
