// Starts the processes that make artifacts: everything that may crash V8, or needs other flags, happens there.

import { handOver } from "../background/hand_over.ts";
import { checkFolder, partsOf } from "../background/orders.ts";
import { LOOK_MS } from "../background/supervisor.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import type { ChildProcess, StdioOptions } from "node:child_process";
import type { Readable } from "node:stream";
import { MARK, processPath } from "./identity.ts";
import type { Bytes } from "../engine/calls.ts";
import { clearTimer, fromUtf8, setTimer } from "../platform/globals.ts";
import { EXITS, type Order, type Role } from "./order.ts";
import { probeArtifact } from "./proof.ts";

/**
 * How long one process may take, ms: optimizing all of a 34 MB module takes half a minute, on a busy machine longer.
 */
const LIMIT_MS = 15 * 60 * 1000;

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
function run(role: Role, order: Order, work: Work): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const child = start(role, ["pipe", role === "name" ? "pipe" : "ignore", "pipe", "pipe"], work);
    child.on("error", reject);
    // Without descriptors there are no pipes either; the error comes later.
    if (!child.stdin) return;
    // Not by the timeout of `spawn`: where nothing could be started, it would keep the program alive to its end.
    const timer = setTimer(() => child.kill("SIGKILL"), LIMIT_MS);
    const watch = work.look && setInterval(work.look, LOOK_MS);
    const output = collected(child.stdio[role === "name" ? 1 : 3] as Readable);
    const complaint = collected(child.stderr!);
    // It may end before it has read all.
    child.stdin.on("error", () => {});
    for (const part of partsOf([order])) child.stdin.write(part);
    child.stdin.end();
    const ended = () => (clearTimer(timer), clearInterval(watch));
    child.on("error", ended);
    child.on("close", (code, signal) => {
      ended();
      if (code === 0) resolve(output());
      else reject(failureOf(role, signal ?? code, complaint()));
    });
  });
}

/** What comes through a pipe. */
function collected(pipe: Readable): () => Bytes {
  const chunks: Uint8Array[] = [];
  pipe.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
  return () => new Uint8Array(Buffer.concat(chunks));
}

function start(role: Role, stdio: StdioOptions, { folder, name }: Work): ChildProcess {
  const args = [...ownFlags(), ...FLAGS[role] ?? [], "--no-warnings", processPath()!, role, ...(name ? [name] : [])];
  return builtin("node:child_process").spawn(nodeProcess().execPath, args, {
    cwd: folder,
    detached: role === "supervise",
    env: environment(),
    stdio,
    windowsHide: true,
  });
}

/** Flags of V8 that programs are run with: under others V8 takes no artifact of theirs. */
function ownFlags(): string[] {
  const { env, execArgv } = nodeProcess();
  return [...env.NODE_OPTIONS?.split(/\s+/) ?? [], ...execArgv].filter((flag) => USUAL_FLAGS.test(flag));
}

const USUAL_FLAGS = /^--(stack|max[-_]old[-_]space|max[-_]semi[-_]space)[-_]size=|^--(expose[-_]gc|harmony[\w-]*)$/;

/**
 * Without the variables that Node itself reads: options, hooks and channels are for the program, not for its helpers.
 */
function environment(): Record<string, string | undefined> {
  const kept = Object.entries(nodeProcess().env).filter(([name]) => !name.startsWith("NODE_"));
  return { ...Object.fromEntries(kept), [MARK]: "1" };
}

/** Why a process failed, for people. */
const REASONS: Record<string, string> = {
  [EXITS.otherIdentity]: "it runs under V8 flags of its own",
  [EXITS.notTheSame]: "V8 gave back another module",
  [EXITS.tooLong]: "it took too long",
};

/** @param complaint What it printed of it. */
function failureOf(role: Role, end: string | number | null, complaint: Bytes): Error {
  const why = REASONS[`${end}`] ?? fromUtf8(complaint).match(/^.*Error\b.*: .*$/m)?.[0] ?? "no reason given";
  return new Error(`Cannot make artifact: the process for "${role}" ended with ${end}: ${why}`);
}
