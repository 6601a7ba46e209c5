// Processes that this library starts: the runtime itself, without what its variables say of the program. Knows no
// engine.

import type { ChildProcess, StdioOptions } from "node:child_process";
import type { Readable } from "node:stream";
import type { Bytes } from "../engine/calls.ts";
import { clearTimer, fromUtf8, setTimer } from "../platform/globals.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { type EntryOrder, partsOf } from "./orders.ts";
import { LOOK_MS } from "./supervisor.ts";

/** Environment variable of these processes: they must not start others. */
export const MARK = "WASM_MODULE_CACHE_PROCESS";

/**
 * How long one process may take, ms: optimizing all of a 34 MB module takes half a minute, on a busy machine longer.
 */
const LIMIT_MS = 15 * 60 * 1000;

/** How a process is started. */
export interface Start {
  /** Where it stands. */
  readonly folder: string;
  /** Its standard streams. */
  readonly stdio: StdioOptions;
  /** Whether it lives on when this one ends. */
  readonly isDetached?: boolean;
}

/** Starts this runtime once more. */
export function startSelf(args: readonly string[], { folder, stdio, isDetached = false }: Start): ChildProcess {
  return builtin("node:child_process").spawn(nodeProcess().execPath, [...args], {
    cwd: folder,
    detached: isDetached,
    env: environment(),
    stdio,
    windowsHide: true,
  });
}

/**
 * Without the variables that runtimes read: options, hooks and channels are for the program, not for its helpers. Deno
 * needs the folder of its packages.
 */
function environment(): Record<string, string | undefined> {
  const kept = Object.entries(nodeProcess().env).filter(([name]) => !/^(NODE_|BUN_|DENO_(?!DIR$))/.test(name));
  return { ...Object.fromEntries(kept), [MARK]: "1" };
}

/** How a process ended. */
export interface Ended {
  /** Its exit code, or the signal that ended it. */
  readonly end: number | string | null;
  /** What it gave. */
  readonly output: Bytes;
  /** What it said of an error, for people. */
  readonly complaint: string;
}

/**
 * Gives an order to a process, and waits for its end.
 *
 * @param child A process whose standard input, standard error and output are pipes.
 * @param from Descriptor of its output.
 * @param look Called again and again meanwhile.
 * @throws The system's error, if it could not be started.
 */
export function runToEnd(child: ChildProcess, order: EntryOrder, from: 1 | 3, look?: () => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    // Without descriptors there are no pipes either; the error comes later.
    if (!child.stdin) return;
    // Not by the timeout of `spawn`: where nothing could be started, it would keep the program alive to its end.
    const timer = setTimer(() => child.kill("SIGKILL"), LIMIT_MS);
    const watch = look && setInterval(look, LOOK_MS);
    const output = collected(child.stdio[from] as Readable);
    const said = collected(child.stderr!);
    // It may end before it has read all.
    child.stdin.on("error", () => {});
    for (const part of partsOf([order])) child.stdin.write(part);
    child.stdin.end();
    const ended = () => (clearTimer(timer), clearInterval(watch));
    child.on("error", ended);
    child.on("close", (code, signal) => {
      ended();
      const complaint = fromUtf8(said()).match(/^.*Error\b.*: .*$/m)?.[0] ?? "no reason given";
      resolve({ end: signal ?? code, output: output(), complaint });
    });
  });
}

/** What comes through a pipe. */
function collected(pipe: Readable): () => Bytes {
  const chunks: Uint8Array[] = [];
  pipe.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
  return () => new Uint8Array(builtin("node:buffer").Buffer.concat(chunks));
}
