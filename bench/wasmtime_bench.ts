// What does machine code from the directory save on Deno, Bun and Node 26, against the runtime's own engine? Whole
// processes, in turn; medians. WASM_CACHE_WASMTIME names the library, BENCH_ROUNDS says how often.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { wasmtime } from "@wasm/module-cache/wasmtime";
import { printTable, ROOT, runtime } from "./_tools.ts";

const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const library = process.env.WASM_CACHE_WASMTIME ?? "";
const before = runtime.startsWith("Deno")
  ? ["run", "-A", "--no-lock", "--config", join(ROOT, process.env.BENCH_CONFIG ?? "deno.json")]
  : runtime.startsWith("Node")
  ? ["--no-warnings"]
  : [];

/** Node users get JavaScript, in few files: the task packs it. */
const form = process.env.BENCH_PACKED ? dirname(process.env.BENCH_PACKED) : "";

interface Ran {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly megabytes: number;
  readonly printed: string;
}

function run(program: string, how: string, directory: string, env: Record<string, string> = {}): Ran {
  const args = [...before, join(ROOT, "bench/_wasmtime_program.mjs"), program, how, directory, library, form];
  const start = performance.now();
  const { status, stderr, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 1e9,
  });
  const wallMs = performance.now() - start;
  if (status !== 0) throw new Error(stderr);
  const { cpu, rss } = JSON.parse(stderr.trim().split("\n").at(-1)!);
  return { wallMs, cpuMs: cpu, megabytes: rss, printed: stdout };
}

const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Runs all ways in turn; gives the medians of what is asked of each. */
function medians(program: string, ways: readonly string[], directory: string, of: (ran: Ran) => number[]): number[][] {
  const all = ways.map(() => [] as number[][]);
  for (let round = 0; round < rounds; round++) {
    ways.forEach((how, i) => all[i]!.push(of(run(program, how, directory))));
  }
  return all.map((runs) => runs[0]!.map((_, i) => middle(runs.map((numbers) => numbers[i]!))));
}

const { available, reason } = wasmtime.available();
if (!available) {
  console.log(`Not measured on ${runtime}: ${reason}`);
  process.exit(0);
}
const directory = process.env.BENCH_DIRECTORY ?? mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
try {
  const lines = Array.from(
    { length: 2000 },
    (_, i) =>
      `export function f${i}(alpha: number, beta: string): string { const gamma = alpha + ${i}; return beta + gamma }`,
  );
  writeFileSync(join(directory, "input.ts"), lines.join("\n"));
  const ways = ["own", "cached", "unchanged"];
  const inOneProcess = { WASM_MODULE_CACHE_PROCESS: "1" };
  run("esbuild", "warm", directory, inOneProcess);
  // A file that has just been written is not trusted yet.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  run("esbuild", "unchanged", directory);
  const whole = medians("esbuild", ways, directory, (ran) => [ran.wallMs, ran.cpuMs, ran.megabytes]);
  printTable(
    "esbuild minifies 220 KB: whole process",
    ["engine", "ms", "processor, ms", "resident, MB"],
    whole.map((numbers, i) => [ways[i]!, ...numbers]),
  );
  if (existsSync(join(ROOT, "bench/modules/node_modules/source-map"))) {
    run("modules", "warm", directory, inOneProcess);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    run("modules", "unchanged", directory);
    const many = medians("modules", ways, directory, ({ printed }) => [Number(printed)]);
    printTable("1,000 modules of 48 KB", ["engine", "ms"], many.map((numbers, i) => [ways[i]!, ...numbers]));
  }
  const calls = medians("calls", ["own", "cached"], directory, ({ printed }) => JSON.parse(printed));
  printTable("Calls, ns", ["engine", "in", "out"], calls.map((times, i) => [ways[i]!, ...times]));
} finally {
  if (!process.env.BENCH_DIRECTORY) rmSync(directory, { recursive: true, force: true });
}
