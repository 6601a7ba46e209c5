// Starts the processes that compile by Cranelift: this runtime itself, with no more permissions than they need.

import type { ChildProcess, StdioOptions } from "node:child_process";
import type { Readable } from "node:stream";
import { handOver } from "../background/hand_over.ts";
import { partsOf } from "../background/orders.ts";
import type { Bytes } from "../engine/calls.ts";
import { fromUtf8 } from "../platform/globals.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import type { Order, Role } from "./order.ts";

/** Environment variable of these processes: they must not start others. */
export const MARK = "WASM_MODULE_CACHE_PROCESS";

/** Whether this process may start others, and has their program. Never prompts. */
export function mayStart(): boolean {
  if (programPath() === undefined) return false;
  if ("Deno" in globalThis) return Deno.permissions.querySync({ name: "run" }).state === "granted";
  const { env, permission } = nodeProcess();
  return env[MARK] === undefined && (permission?.has("child") ?? true);
}

/** Starts the process that carries orders out, and lets it go: it lives on when this one ends. */
export function startSupervisor(orders: readonly Order[], folder: string): void {
  const { directory } = orders[0]!.target!;
  handOver(orders, folder, (file) => start("supervise", [file, "ignore", "ignore"], folder, directory));
}

/**
 * Compiles by Cranelift in another process, so that this one goes on.
 *
 * @throws {Error} When that process ends without an artifact; its message says why.
 */
export function makeArtifact(order: Order): Promise<Bytes> {
  return new Promise((resolve, reject) => {
    const child = start("make", ["pipe", "pipe", "pipe"], "/");
    child.on("error", reject);
    // Without descriptors there are no pipes either; the error comes later.
    if (!child.stdin) return;
    const [output, complaint] = [collected(child.stdout!), collected(child.stderr!)];
    // It may end before it has read all.
    child.stdin.on("error", () => {});
    for (const part of partsOf([order])) child.stdin.write(part);
    child.stdin.end();
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(output());
      const why = fromUtf8(complaint()).match(/^.*Error\b.*: .*$/m)?.[0] ?? "no reason given";
      reject(new Error(`Cannot make artifact: the process ended with ${signal ?? code}: ${why}`));
    });
  });
}

/** What comes through a pipe. */
function collected(pipe: Readable): () => Bytes {
  const chunks: Uint8Array[] = [];
  pipe.on("data", (chunk) => chunks.push(chunk)).on("error", () => {});
  return () => new Uint8Array(builtin("node:buffer").Buffer.concat(chunks));
}

/** @param directory Where the process writes. */
function start(role: Role, stdio: StdioOptions, folder: string, directory?: string): ChildProcess {
  const args = [...flags(directory), programPath()!, role];
  return builtin("node:child_process").spawn(nodeProcess().execPath, args, {
    cwd: folder,
    detached: role === "supervise",
    env: environment(),
    stdio,
    windowsHide: true,
  });
}

function flags(directory: string | undefined): string[] {
  if ("Deno" in globalThis) {
    const write = directory === undefined ? [] : [`--allow-write=${directory}`];
    const allowed = ["--allow-ffi", "--allow-read", "--allow-run=ionice", "--allow-sys", "--allow-env", ...write];
    return ["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", ...allowed, ...importMap()];
  }
  return "Bun" in globalThis ? ["--config=/dev/null"] : ["--no-warnings"];
}

/** Names of packages as this program resolves them: its configuration is not the process's. */
function importMap(): string[] {
  const imports: Record<string, string> = {};
  for (const name of PACKAGES) {
    try {
      imports[name] = import.meta.resolve(name);
    } catch {
      // Published code names its packages in full.
    }
  }
  return [`--import-map=data:application/json,${encodeURIComponent(JSON.stringify({ imports }))}`];
}

/** Packages that the program of these processes loads. */
const PACKAGES = ["quick-lru", "@std/crypto/timing-safe-equal", "hash-wasm"];

/** Without what runtimes read: options, hooks and channels are for the program, not for its helpers. */
function environment(): Record<string, string | undefined> {
  const kept = Object.entries(nodeProcess().env).filter(([name]) => !/^(NODE_|BUN_|DENO_(?!DIR$))/.test(name));
  return { ...Object.fromEntries(kept), [MARK]: "1" };
}

/** The program: a path, or on Deno a URL; `undefined` in a bundle. */
function programPath(): string | undefined {
  const url = import.meta.url as string | undefined;
  const program = url && new URL(`./compiler_main.${url.endsWith(".ts") ? "ts" : "js"}`, url);
  if (!program) return undefined;
  if (program.protocol !== "file:") return "Deno" in globalThis ? program.href : undefined;
  if ("Deno" in globalThis) return program.href;
  const path = builtin("node:url").fileURLToPath(program);
  return builtin("node:fs").existsSync(path) ? path : undefined;
}
