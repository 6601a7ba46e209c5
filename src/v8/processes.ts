// Processes that make artifacts: what V8 may crash on, or needs other flags for, happens there.

import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import type { Readable } from "node:stream";
import { MARK, processPath } from "./identity.ts";
import type { Role } from "./process_main.ts";
import type { Bytes } from "../engine/calls.ts";
import { clearTimer, setTimer } from "../platform/globals.ts";
import { openNameless, type Order, readWhole, writeOrders } from "./order.ts";

/** How it ends when it runs under other V8 flags than who wants the artifact. */
export const OTHER_IDENTITY = 3;

/** How it ends when what V8 gave back is not what it was given. */
export const NOT_THE_SAME = 4;

/** How it ends when it has printed why it did not do its work. */
export const WHY_PRINTED = 5;

/** How long one process may take, ms: to optimize all of a module of 34 MB takes half a minute, on a busy machine longer. */
const LIMIT_MS = 15 * 60 * 1000;

/** V8 does not do what this engine needs, here and now and in every other process of this identity. */
export class Refused extends Error {}

/** Flags of V8 under which the work of a role is done. */
const FLAGS: Partial<Record<Role, string[]>> = {
  name: ["--experimental-wasm-pgo-from-file"],
  profile: ["--experimental-wasm-pgo-from-file"],
  full: ["--no-liftoff", "--no-wasm-lazy-compilation"],
};

/** Roles whose output says something. */
const PRINTS: readonly Role[] = ["name", "work"];

/** Signals by which the system, not a user, ends a process. */
const CRASHES = ["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGTRAP"];

/**
 * Makes an artifact in processes that nothing is left of, and loads it in one before anybody else does.
 *
 * @param folder For files without names, and the profile.
 * @throws {Refused} When V8 crashes or does not do what is needed.
 */
export async function makeArtifact(order: Order, folder: string): Promise<Bytes> {
  const { closeSync, fstatSync } = builtin("node:fs");
  const orders = openNameless(folder);
  let artifact;
  try {
    artifact = openNameless(folder);
    writeOrders(orders, 0, [order]);
    const work = { folder, orders, artifact };
    // Node itself compiles modules; the order's is the last.
    const name = order.profile ? (await run("name", work)).match(/profile-wasm-[0-9a-f]{8}/g)?.at(-1) : undefined;
    if (order.profile && !name) throw new Refused("V8 takes no profile");
    await run(order.grade, work, name);
    await run("verify", work);
    return readWhole(artifact, 0, fstatSync(artifact).size);
  } finally {
    closeSync(orders);
    if (artifact !== undefined) closeSync(artifact);
  }
}

/** A process that will carry out orders when this one has ended, or lets it go. */
export interface Supervisor {
  /** Adds orders and lets it go. */
  release(orders: readonly Order[]): void;
}

/**
 * Starts a process that lives on when this one ends. Now it sees to the first order; the others it reads once this one
 * has ended, whichever way, or has released it.
 */
export function startSupervisor(first: Order, folder: string): Supervisor {
  const { closeSync } = builtin("node:fs");
  const orders = openNameless(folder);
  try {
    const end = writeOrders(orders, 0, [first]);
    const child = start("supervise", { folder, orders });
    // To start it may fail, and nobody is waiting.
    child.on("error", () => {});
    child.stdin?.on("error", () => {});
    child.unref();
    (child.stdin as { unref?(): void } | null)?.unref?.();
    return {
      release(more) {
        try {
          if (more.length > 0) writeOrders(orders, end, more);
        } finally {
          closeSync(orders);
          child.stdin?.destroy();
        }
      },
    };
  } catch (error) {
    closeSync(orders);
    throw error;
  }
}

/**
 * Has an order carried out by a process, and waits for it.
 *
 * @throws {Error} When it is not; its message says why.
 */
export async function carryOutElsewhere(order: Order, folder: string): Promise<void> {
  const orders = openNameless(folder);
  try {
    writeOrders(orders, 0, [order]);
    await run("work", { folder, orders });
  } finally {
    builtin("node:fs").closeSync(orders);
  }
}

interface Work {
  readonly folder: string;
  /** File of the orders. */
  readonly orders: number;
  /** File for the artifact. */
  readonly artifact?: number;
}

/** Runs a role to its end; gives what it printed. */
function run(role: Role, work: Work, name?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = start(role, work, name);
    // Not by the timeout of `spawn`: where nothing could be started, it would keep the program alive to its end.
    const timer = setTimer(() => child.kill("SIGKILL"), LIMIT_MS);
    const output = collected(child.stdout);
    const complaint = collected(child.stderr);
    child.on("error", (error) => {
      clearTimer(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimer(timer);
      if (code === 0) resolve(output());
      else if (role === "work" && code === WHY_PRINTED) reject(new Error(output()));
      else reject(failureOf(role, code, signal, complaint()));
    });
  });
}

/** What comes through a pipe, as far as anybody reads it. */
function collected(pipe: Readable | null): () => string {
  let text = "";
  pipe?.on("data", (more) => text.length < MAX_TEXT && (text += more));
  return () => text;
}

/** Characters that are kept of what a process prints. */
const MAX_TEXT = 64 * 1024;

function start(role: Role, { folder, orders, artifact }: Work, name?: string) {
  const args = [...ownFlags(), ...FLAGS[role] ?? [], "--no-warnings", processPath()!, role, ...(name ? [name] : [])];
  const isSupervisor = role === "supervise";
  return builtin("node:child_process").spawn(nodeProcess().execPath, args, {
    cwd: folder,
    detached: isSupervisor,
    env: environment(),
    stdio: [
      isSupervisor ? "pipe" : "ignore",
      PRINTS.includes(role) ? "pipe" : "ignore",
      isSupervisor ? "ignore" : "pipe",
      orders,
      artifact ?? "ignore",
    ],
    windowsHide: true,
  });
}

/** Flags of V8 that programs are run with: under others V8 takes no artifact of theirs. */
function ownFlags(): string[] {
  const { env, execArgv } = nodeProcess();
  return [...env.NODE_OPTIONS?.split(/\s+/) ?? [], ...execArgv].filter((flag) => USUAL_FLAGS.test(flag));
}

const USUAL_FLAGS = /^--(stack|max[-_]old[-_]space|max[-_]semi[-_]space)[-_]size=|^--(expose[-_]gc|harmony[\w-]*)$/;

/** Without what Node itself reads: options, hooks and channels are for the program, not for its helpers. */
function environment(): Record<string, string | undefined> {
  const kept = Object.entries(nodeProcess().env).filter(([name]) => !name.startsWith("NODE_"));
  return { ...Object.fromEntries(kept), [MARK]: "1" };
}

/** @param complaint What it printed of it. */
function failureOf(role: Role, code: number | null, signal: string | null, complaint: string): Error {
  if (code === OTHER_IDENTITY) return new Refused("this process runs under V8 flags of its own");
  if (code === NOT_THE_SAME) return new Refused("V8 gave back another module");
  const why = complaint.match(/^.*Error\b.*: .*$/m)?.[0];
  const message = `Cannot make artifact: the process for "${role}" ended with ${signal ?? code}${
    why ? `: ${why}` : ""
  }`;
  const isCrash = CRASHES.includes(signal ?? "") || (code !== null && WINDOWS_CRASHES.includes(code >>> 0));
  return isCrash ? new Refused(message) : new Error(message);
}

/** Access violation, illegal instruction, stack overrun, fail-fast: exit codes there. */
const WINDOWS_CRASHES = [0xc0000005, 0xc000001d, 0xc0000409, 0x80000003];
