// Processes that make artifacts: what V8 may crash on, or needs other flags for, happens there.

import type { Role } from "./child.ts";
import { builtin, nodeProcess } from "../platform/node_files.ts";
import { openNameless, type Order, readWhole, writeOrders } from "./order.ts";

/** How it ends when it runs under other V8 flags than who wants the artifact. */
export const OTHER_IDENTITY = 3;

/** How it ends when what V8 gave back is not what it was given. */
export const NOT_THE_SAME = 4;

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

/** Signals by which the system, not a user, ends a process. */
const CRASHES = ["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGTRAP"];

/** Tells whether the parts of this library that run as processes are there: a bundle does not have them. */
export function hasChild(): boolean {
  return builtin("node:fs").existsSync(childPath());
}

/** The published form is JavaScript. */
function childPath(): string {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return builtin("node:url").fileURLToPath(new URL(`./child.${ending}`, import.meta.url));
}

/**
 * Makes an artifact in processes that nothing is left of, and loads it in one before anybody else does.
 *
 * @param folder For files without names, and the profile.
 * @throws {Refused} When V8 crashes or does not do what is needed.
 */
export async function makeArtifact(order: Order, folder: string): Promise<Uint8Array<ArrayBuffer>> {
  const { closeSync, fstatSync } = builtin("node:fs");
  const orders = writeOrders(folder, [order]);
  let output;
  try {
    output = openNameless(folder);
    const work = { folder, descriptors: [orders, output] };
    const name = order.profile ? /profile-wasm-[0-9a-f]{8}/.exec(await run("name", work))?.[0] : undefined;
    if (order.profile && !name) throw new Refused("V8 takes no profile");
    await run(order.grade, work, name);
    await run("verify", work);
    return readWhole(output, 0, fstatSync(output).size);
  } finally {
    closeSync(orders);
    if (output !== undefined) closeSync(output);
  }
}

/** Has orders carried out by a process that lives on when this one ends. */
export function supervise(orders: readonly Order[], folder: string): void {
  const descriptor = writeOrders(folder, orders);
  try {
    const child = start("supervise", { folder, descriptors: [descriptor], isDetached: true });
    // To start it may fail, and nobody is waiting.
    child.on("error", () => {});
    child.unref();
  } finally {
    builtin("node:fs").closeSync(descriptor);
  }
}

interface Work {
  readonly folder: string;
  /** The orders, and the file for the artifact. */
  readonly descriptors: readonly number[];
  readonly isDetached?: boolean;
}

/** Runs a role to its end; gives what it printed. */
function run(role: Role, work: Work, name?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = start(role, work, name);
    let output = "";
    child.stdout?.on("data", (text) => output += text);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(failureOf(role, code, signal));
    });
  });
}

function start(role: Role, { folder, descriptors: [orders, output], isDetached }: Work, name?: string) {
  const { execPath } = nodeProcess();
  const args = [...FLAGS[role] ?? [], "--no-warnings", childPath(), role, ...(name ? [name] : [])];
  const stdio = [orders!, role === "name" ? "pipe" : "ignore", "ignore", output ?? "ignore"] as const;
  return builtin("node:child_process").spawn(execPath, args, {
    cwd: folder,
    detached: isDetached,
    env: environment(),
    stdio: [...stdio],
    windowsHide: true,
    ...(isDetached ? {} : { timeout: LIMIT_MS, killSignal: "SIGKILL" as const }),
  });
}

/** Without what Node itself reads: options, hooks and channels are for the program, not for its helpers. */
function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(nodeProcess().env).filter(([name]) => !name.startsWith("NODE_")));
}

function failureOf(role: Role, code: number | null, signal: string | null): Error {
  if (code === OTHER_IDENTITY) return new Refused("this process runs under V8 flags of its own");
  if (code === NOT_THE_SAME) return new Refused("V8 gave back another module");
  const isCrash = CRASHES.includes(signal ?? "") || (code !== null && code >= 128);
  const message = `Cannot make artifact: the process for "${role}" ended with ${signal ?? code}`;
  return isCrash ? new Refused(message) : new Error(message);
}
