// What do 1,000 modules of 48 KB take when a program starts again, by the default engine, against plain compiles? Whole
// processes, in turn; medians. BENCH_ROUNDS says how often.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { printTable, ROOT, runtime } from "./_tools.ts";

const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const before = runtime.startsWith("Deno")
  ? ["run", "-A", "--no-lock", "--config", join(ROOT, process.env.BENCH_CONFIG ?? "deno.json")]
  : [];
const form = runtime.startsWith("Node") && process.env.BENCH_PACKED ? dirname(process.env.BENCH_PACKED) : "";
const ways = ["plain", "resolve", "plain files", "load"];

function run(how: string, folder: string): number {
  const args = [...before, join(ROOT, "bench/_restart_program.mjs"), how, folder, form];
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}

if (existsSync(join(ROOT, "bench/modules/node_modules/source-map"))) {
  const folder = mkdtempSync(join(tmpdir(), "wasm-module-cache-bench-"));
  try {
    run("resolve", folder);
    const times = ways.map(() => [] as number[]);
    for (let round = 0; round < rounds; round++) ways.forEach((how, i) => times[i]!.push(run(how, folder)));
    const [plain, resolve, files, load] = times.map((all) => all.sort((a, b) => a - b)[all.length >> 1]!);
    printTable("1,000 modules of 48 KB at restart, ms", ["from", "plain", "cache", "of plain"], [
      ["bytes", plain!, resolve!, resolve! / plain!],
      ["files", files!, load!, load! / files!],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
