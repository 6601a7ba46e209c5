// Starts the processes that make artifacts: everything that may crash V8, or needs other flags, happens there.

import type { ChildProcess, StdioOptions } from "node:child_process";
import { runToEnd, startSelf } from "../background/child.ts";
import { handOver } from "../background/hand_over.ts";
import { checkFolder } from "../background/orders.ts";
import type { Bytes } from "../engine/calls.ts";
import { fromUtf8 } from "../platform/globals.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { processPath } from "./identity.ts";
import { EXITS, type Order, type Role } from "./order.ts";
import { probeArtifact } from "./proof.ts";

/** Flags under which the work of a role is done. What goes by a profile keeps to one thread. */
const FLAGS: Partial<Record<Role, string[]>> = {
  name: ["--experimental-wasm-pgo-from-file"],
  optimize: ["--experimental-wasm-pgo-from-file", "--v8-pool-size=1"],
  full: ["--no-liftoff", "--no-wasm-lazy-compilation"],
};

/** Beginning of the names of folders for profiles. */
export const PROFILE_FOLDER = "v8-";

interface Work {
  readonly folder: string;
  readonly name?: string;
  readonly look?: () => void;
}

/**
 * Makes an artifact in processes that nothing is left of, and loads it in one before anybody else does.
 *
 * @param folder Where they stand; nobody else's.
 * @param look Called again and again while V8 optimizes.
 * @throws {Error} When V8 crashes or does not do what is needed; its message says why.
 */
export async function makeArtifact(order: Order, folder: string, look?: () => void): Promise<Bytes> {
  checkFolder(folder);
  const snapshot = order.profile ? await optimized(order, folder, look) : await run("full", order, { folder });
  return await verified({ ...order, snapshot }, folder);
}

/**
 * Loads the snapshot of an order in another process, which proves before that V8 gives back what it is given.
 *
 * @param folder Where that stands; nobody else's.
 * @returns The artifact.
 * @throws {Error} When V8 crashes or does not do what is needed; its message says why.
 */
export async function verified(order: Order, folder: string): Promise<Bytes> {
  checkFolder(folder);
  return await run("verify", { ...order, probe: probeArtifact() }, { folder });
}

/** Optimizes by a profile, which V8 wants under a name that anybody can compute: so its folder has one that nobody can. */
async function optimized(order: Order, folder: string, look?: () => void): Promise<Bytes> {
  const { mkdtempSync, rmSync } = builtin("node:fs");
  const own = mkdtempSync(`${folder}/${PROFILE_FOLDER}`);
  try {
    const said = fromUtf8(await run("name", order, { folder: own }));
    // Node itself compiles modules; the order's is the last.
    const name = said.match(/profile-wasm-[0-9a-f]{8}/g)?.at(-1);
    if (!name) throw new Error("Cannot make artifact: V8 takes no profile");
    return await run("optimize", order, { folder: own, name, look });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

/** Starts the process that carries orders out, and lets it go: it lives on when this one ends. */
export function startSupervisor(orders: readonly Order[], folder: string): void {
  handOver(orders, folder, (file) => start("supervise", [file, "ignore", "ignore"], { folder }));
}

/** Runs a role to its end; gives the artifact, or what it printed where it makes none. */
async function run(role: Role, order: Order, work: Work): Promise<Bytes> {
  const [from, stdout] = role === "name" ? [1, "pipe"] as const : [3, "ignore"] as const;
  const child = start(role, ["pipe", stdout, "pipe", "pipe"], work);
  const { complaint, end, output } = await runToEnd(child, order, from, work.look);
  if (end === 0) return output;
  const why = REASONS[`${end}`] ?? complaint;
  throw new Error(`Cannot make artifact: the process for "${role}" ended with ${end}: ${why}`);
}

function start(role: Role, stdio: StdioOptions, { folder, name }: Work): ChildProcess {
  const args = [...ownFlags(), ...FLAGS[role] ?? [], "--no-warnings", processPath()!, role, ...(name ? [name] : [])];
  return startSelf(args, { folder, stdio, isDetached: role === "supervise" });
}

/** Flags of V8 that programs are run with: under others V8 takes no artifact of theirs. */
function ownFlags(): string[] {
  const { env, execArgv } = nodeProcess();
  return [...env.NODE_OPTIONS?.split(/\s+/) ?? [], ...execArgv].filter((flag) => USUAL_FLAGS.test(flag));
}

const USUAL_FLAGS = /^--(stack|max[-_]old[-_]space|max[-_]semi[-_]space)[-_]size=|^--(expose[-_]gc|harmony[\w-]*)$/;

/** Why a process failed, for people. */
const REASONS: Record<string, string> = {
  [EXITS.otherIdentity]: "it runs under V8 flags of its own",
  [EXITS.notTheSame]: "V8 gave back another module",
  [EXITS.tooLong]: "it took too long",
};
