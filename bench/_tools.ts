// What the benchmarks share: modules, variants that no engine has seen, medians, tables.

import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { do_not_optimize, measure } from "mitata";

/** Folder of this tree. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url));

const MODULES = {
  "sqlite 0.9 MB": "node_modules/@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm",
  "esbuild 14 MB": "node_modules/esbuild-wasm/esbuild.wasm",
  "duckdb 34 MB": "bench/modules/node_modules/@duckdb/duckdb-wasm/dist/duckdb-eh.wasm",
} as const;

/** The modules measured, by name and size: those that are installed. */
export const modules: readonly { name: string; code: Uint8Array<ArrayBuffer> }[] = Object.entries(MODULES)
  .filter(([, path]) => existsSync(join(ROOT, path)))
  .map(([name, path]) => ({ name, code: new Uint8Array(readFileSync(join(ROOT, path))) }));

/** This runtime and its version. */
export const runtime: string = runtimeName();

function runtimeName(): string {
  const { Deno, Bun } = globalThis as unknown as Record<string, { version: string & { deno: string } } | undefined>;
  if (Deno) return `Deno ${Deno.version.deno}`;
  return Bun ? `Bun ${Bun.version}` : `Node ${process.versions.node}`;
}

let variants = 0;

/**
 * The same module with a custom section at the end, so that no engine has compiled these bytes before.
 *
 * @param name What is in the section; each time another by default.
 */
export function variantOf(code: Uint8Array, name = `${process.pid}-${variants++}`): Uint8Array<ArrayBuffer> {
  const stamp = new TextEncoder().encode(name);
  const section = [0, 2 + stamp.length, 1, 118, ...stamp];
  const variant = new Uint8Array(code.length + section.length);
  variant.set(code);
  variant.set(section, code.length);
  return variant;
}

/** Median time of a call that can be made again and again, ms: by mitata. */
export async function median(call: () => unknown): Promise<number> {
  const { p50 } = await measure(async () => do_not_optimize(await call()), { min_samples: 12, min_cpu_time: 3e8 });
  return p50 / 1e6;
}

/** As {@linkcode median}, for a call that gives no promise: without the time of awaiting it. */
export async function medianSync(call: () => unknown): Promise<number> {
  const { p50 } = await measure(() => do_not_optimize(call()), { min_samples: 12, min_cpu_time: 3e8 });
  return p50 / 1e6;
}

/**
 * Median times of calls that are cold each time, ms. They come in turn, so that what slows the machine slows all, and each
 * round begins with another one: the garbage that one leaves is collected at the cost of those after it.
 */
export async function medianOfCold(rounds: number, calls: (() => Promise<number>)[]): Promise<number[]> {
  const times: number[][] = calls.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < calls.length; turn++) {
      const i = (round + turn) % calls.length;
      // What the one before left to other threads is done by then.
      await new Promise((resolve) => setTimeout(resolve, 40));
      times[i]!.push(await calls[i]!());
    }
  }
  return times.map((all) => all.sort((a, b) => a - b)[all.length >> 1]!);
}

/** Time of one call, ms. */
export async function timeOf(call: () => unknown): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

/** Prints rows as a Markdown table, numbers with three digits that count. */
export function printTable(
  title: string,
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): void {
  const show = (cell: string | number) =>
    typeof cell === "string" ? cell : cell >= 100 ? cell.toFixed(0) : cell.toPrecision(3);
  console.log(`\n${title} (${runtime}, ${cpus()[0]?.model.trim()}, ${cpus().length} cores)\n`);
  for (const row of [head, head.map(() => "---"), ...rows]) console.log(`| ${row.map(show).join(" | ")} |`);
}
