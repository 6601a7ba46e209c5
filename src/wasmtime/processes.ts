// Starts the processes that compile by Cranelift: this runtime itself, with no more permissions than they need.

import type { ChildProcess, StdioOptions } from "node:child_process";
import { MARK, runToEnd, startSelf } from "../background/child.ts";
import { handOver } from "../background/hand_over.ts";
import type { Bytes } from "../engine/calls.ts";
import { native } from "../engine/runtime.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { type Order, REFUSED, type Role } from "./order.ts";

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
  // Deno splits a list of paths at commas; from the folder, the directory can be named without its own.
  const writable = directory.includes(",") ? builtin("node:path").relative(folder, directory) : directory;
  handOver(orders, folder, (file) => start("supervise", [file, "ignore", "ignore"], folder, writable));
}

/**
 * Compiles by Cranelift in another process, so that this one goes on.
 *
 * @throws {WebAssembly.CompileError} When the code is invalid, or Wasmtime refuses it.
 * @throws {Error} When that process ends without an artifact; its message says why.
 */
export async function makeArtifact(order: Order): Promise<Bytes> {
  const child = start("make", ["pipe", "pipe", "pipe"], "/");
  const { complaint, end, output } = await runToEnd(child, order, 1);
  if (end === 0) return output;
  if (end === REFUSED) throw new native.CompileError(complaint.replace(/^.*?CompileError: /, ""));
  throw new Error(`Cannot make artifact: the process ended with ${end}: ${complaint}`);
}

/** @param writable Where the process writes. */
function start(role: Role, stdio: StdioOptions, folder: string, writable?: string): ChildProcess {
  return startSelf([...flags(writable), programPath()!, role], { folder, stdio, isDetached: role === "supervise" });
}

function flags(writable: string | undefined): string[] {
  if ("Deno" in globalThis) {
    const write = writable === undefined ? [] : [`--allow-write=${writable}`];
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
