// The packages whose programs are here, how a program is run, and what it looked up. Imports nothing but Node's.

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A package from npm that brings wasm, and its program. */
export interface Package {
  /** Name in the npm registry. */
  readonly name: string;
  /** The program's file in this folder. */
  readonly program: string;
  /** How many times the program compiles a module of 4 KB or more. */
  readonly compiles: number;
  /** It takes seconds to start. */
  readonly isSlow?: boolean;
}

/** All packages, those that take longest first. */
export const PACKAGES: readonly Package[] = [
  { name: "pyodide", program: "pyodide.mjs", compiles: 1, isSlow: true },
  { name: "esbuild-wasm", program: "esbuild_wasm.mjs", compiles: 1 },
  { name: "@duckdb/duckdb-wasm", program: "duckdb_wasm.mjs", compiles: 1 },
  { name: "@swc/wasm", program: "swc_wasm.mjs", compiles: 1 },
  { name: "quickjs-emscripten", program: "quickjs.mjs", compiles: 3 },
  { name: "@resvg/resvg-wasm", program: "resvg_wasm.mjs", compiles: 1 },
  { name: "@rollup/wasm-node", program: "rollup_wasm.mjs", compiles: 1 },
  { name: "sql.js", program: "sql_js.mjs", compiles: 1 },
  { name: "@sqlite.org/sqlite-wasm", program: "sqlite_wasm.mjs", compiles: 1 },
  { name: "web-tree-sitter", program: "tree_sitter.mjs", compiles: 2 },
];

/** This folder, where the programs are started. */
const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** What puts the cache behind the calls. */
export const REGISTER: string = fileURLToPath(new URL("../../register.ts", import.meta.url));

/** What tells of the calls; see there. */
export const CALLS: string = fileURLToPath(new URL("_calls.mjs", import.meta.url));

/** A lookup that the cache told of. */
export interface Lookup {
  /** Where the module came from. */
  readonly from: string;
  /** Of the code and the engine. */
  readonly key: string;
  /** Length of the code. */
  readonly bytes: number;
}

/** What a program left behind. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly lookups: readonly Lookup[];
  /** Why Wasmtime refused modules, which then went to the runtime. */
  readonly refusals: readonly string[];
  /** What else the cache said: nothing, where all is well. */
  readonly complaints: readonly string[];
}

/** How a program is run. */
export interface RunOptions {
  /** Name of the runtime. */
  readonly runtime: string;
  /** The command that runs a script on it. Of Deno's only the program counts. */
  readonly command: readonly string[];
  /** Path of a module that runs first. */
  readonly preload?: string;
  /** Environment variables besides this process's. */
  readonly env?: Record<string, string>;
}

/** What {@linkcode REGISTER} is told: to keep its entries there, and to tell of its lookups. */
export function registered(directory: string, engine = "auto"): Pick<RunOptions, "preload" | "env"> {
  const trace = { WASM_CACHE_LOG: "trace", WASM_CACHE_MIN_BYTES: "4096" };
  const env = { WASM_CACHE: "on", WASM_CACHE_DIR: directory, WASM_CACHE_ENGINE: engine, ...trace };
  return { preload: REGISTER, env };
}

/**
 * The version of a package that is installed.
 *
 * @throws {Error} When none is.
 */
export function versionOf({ name }: Package): string {
  const path = join(FOLDER, "node_modules", name, "package.json");
  if (!existsSync(path)) {
    throw new Error(`Cannot run the program of ${name}: it is not installed; run "npm ci" in tests/packages`);
  }
  return JSON.parse(readFileSync(path, "utf8")).version;
}

/** Runs a program to its end. */
export function runProgram({ program }: Package, options: RunOptions): Promise<Ran> {
  const [file = "", ...args] = commandOf(options.runtime, options.command, options.preload);
  const env = { ...process.env, ...options.env };
  const child = spawn(file, [...args, program], { cwd: FOLDER, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk) => output.stdout += chunk);
  child.stderr.setEncoding("utf8").on("data", (chunk) => output.stderr += chunk);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...output, ...toldIn(output.stderr) }));
  });
}

/**
 * The command up to the program's name. It is started in this folder.
 *
 * Deno gets no config: it then finds the programs' packages and this library's in `node_modules`, as Node and Bun do.
 */
function commandOf(runtime: string, command: readonly string[], preload?: string): string[] {
  if (!runtime.startsWith("Deno")) {
    if (preload === undefined) return [...command];
    // A path with a drive's letter is no URL to Node.
    return [
      ...command,
      ...runtime.startsWith("Bun") ? ["--preload", preload] : ["--import", `${pathToFileURL(preload)}`],
    ];
  }
  const [program = "deno"] = command;
  const options = ["--no-lock", "--no-config", "--node-modules-dir=manual"];
  return [program, "run", "-A", ...options, ...(preload === undefined ? [] : ["--preload", preload])];
}

function toldIn(stderr: string): Pick<Ran, "lookups" | "refusals" | "complaints"> {
  const lines = [...stderr.matchAll(/^wasm-module-cache: (.*)$/gm)].map(([, line]) => line!);
  const lookup = /^(memory|disk|recompiled|compiled) ([0-9a-f]{64}) (\d+) bytes /;
  const lookups = lines.flatMap((line) => {
    const [, from, key, bytes] = line.match(lookup) ?? [];
    return from && key ? [{ from, key, bytes: Number(bytes) }] : [];
  });
  const refused = /^left to the runtime: /;
  const refusals = lines.filter((line) => refused.test(line)).map((line) => line.replace(refused, ""));
  return { lookups, refusals, complaints: lines.filter((line) => !lookup.test(line) && !refused.test(line)) };
}

/** The first lookup of the largest module. */
export function largest({ lookups }: Ran): Lookup | undefined {
  const bytes = Math.max(...lookups.map(({ bytes }) => bytes));
  return lookups.find((lookup) => lookup.bytes === bytes);
}

/** Waits until no process makes artifacts in a directory any more: it is where they stand. Linux tells. */
export async function quiet(directory: string): Promise<void> {
  for (let looks = 0; looks < 600 && isWorkedIn(directory); looks++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function isWorkedIn(directory: string): boolean {
  if (process.platform !== "linux") return false;
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).some((id) => {
    try {
      return readlinkSync(`/proc/${id}/cwd`).startsWith(directory);
    } catch {
      return false;
    }
  });
}
