// What does a second process gain when the first had sqlite optimized at -O2? Each time is of one process's first lookup.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
import { printTable, ROOT, runtime } from "./_tools.ts";

const COLD_ROUNDS = 3;
const WARM_ROUNDS = 21;
const SQLITE = join(ROOT, "node_modules/@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm");

/** Runs a task in a process of its own; gives the time that it prints. */
function timeInProcess(...args: string[]): number {
  const config = process.env.BENCH_CONFIG ?? "deno.json";
  const before = runtime.startsWith("Deno") ? ["run", "-A", "--no-lock", "--config", config] : [];
  const command = [...before, join(ROOT, "bench/_prepared_lookup.ts"), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout.trim());
}

const middle = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;

const folder = mkdtempSync(join(tmpdir(), "wasm-module-cache-bench-"));
try {
  const cold: number[] = [];
  for (let i = 0; i < COLD_ROUNDS; i++) cold.push(timeInProcess("cold", join(folder, `${i}`), SQLITE));
  const output = join(folder, "output.wasm");
  const code = new Uint8Array(readFileSync(SQLITE));
  writeFileSync(output, await binaryenOptimizer({ optimizeLevel: 2 }).prepare(code));
  const warm: number[] = [];
  const plain: number[] = [];
  for (let i = 0; i < WARM_ROUNDS; i++) {
    warm.push(timeInProcess("warm", join(folder, "0"), SQLITE));
    plain.push(timeInProcess("plain", output));
  }
  const [coldMs, warmMs, plainMs] = [middle(cold), middle(warm), middle(plain)];
  printTable("First lookup of a process, sqlite at -O2", [
    "nothing on disk, ms",
    "output on disk, ms",
    "gain",
    "plain compile of the output, ms",
    "disk over that, ms",
  ], [[coldMs, warmMs, coldMs / warmMs, plainMs, warmMs - plainMs]]);
} finally {
  rmSync(folder, { recursive: true });
}
