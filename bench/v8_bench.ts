// What does a process gain from V8's machine code of an earlier one, and what does the first pay for it? Node 22 and 24.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { printTable, ROOT, runtime } from "./_tools.ts";

/** Median time of the wall and of all processors, ms. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

const ROUNDS = 7;
const scratch = mkdtempSync(join(ROOT, ".cache-"));
const esbuild = join(ROOT, "node_modules/esbuild-wasm/bin/esbuild");

/** A file of 400 KB, of real JavaScript. */
function largeInput(): string {
  const source = readFileSync(join(ROOT, "node_modules/esbuild-wasm/lib/main.js"), "utf8");
  const path = join(scratch, "large.js");
  const copies = Math.ceil(400_000 / source.length);
  const bundled = Array.from({ length: copies }, (_, i) => `export function part${i}(module, exports) {${source}\n}\n`);
  writeFileSync(path, bundled.join(""));
  return path;
}

function inputs(): Record<string, string[]> {
  const small = join(scratch, "small.ts");
  writeFileSync(small, "let x: number = 1; console.log(x)\n");
  const large = [
    "--bundle",
    "--minify",
    "--platform=node",
    "--log-level=error",
    `--outfile=${join(scratch, "out.js")}`,
  ];
  return {
    "esbuild, one line": [esbuild, small],
    "esbuild, bundle and minify 400 KB": [esbuild, largeInput(), ...large],
    "sqlite, 500 inserts": [join(ROOT, "bench/_v8_sqlite.mjs")],
  };
}

/**
 * A module to preload: with it, what `new WebAssembly.Module` compiles comes through a cache on a directory; without a
 * directory, the library is there and not used.
 */
function hook(directory?: string): string {
  const path = join(scratch, `hook-${directory?.split("/").at(-1)}.mjs`);
  const packed = process.env.BENCH_PACKED ?? "";
  const url = (name: string) => JSON.stringify(pathToFileURL(packed.replace(/mod\.js$/, name)).href);
  writeFileSync(
    path,
    `
    import { ModuleCache } from ${url("mod.js")};
    import { v8Engine } from ${url("v8.js")};
    const cache = new ModuleCache({ engine: v8Engine(), directory: ${JSON.stringify(directory)}, strict: true });
    const { Module } = WebAssembly;
    let isBusy = false;
    const construct = (_target, [code]) => {
      if (isBusy) return new Module(code);
      isBusy = true;
      try {
        return cache.resolveSync(code).module;
      } finally {
        isBusy = false;
      }
    };
    if (${directory !== undefined}) WebAssembly.Module = new Proxy(Module, { construct });
    `,
  );
  return path;
}

/** Runs a program to its end; its output goes through pipes, for one of them spins where it does not. */
function measure(args: string[]): Cost {
  const script = 'TIMEFORMAT="%R %U %S"; time "$@"';
  const { status, stderr } = spawnSync("bash", ["-c", script, "bash", process.execPath, ...args], { encoding: "utf8" });
  const [wall, user, system] = stderr.trim().split("\n").at(-1)!.split(" ").map(Number);
  if (status !== 0) throw new Error(stderr);
  return { wall: wall! * 1000, cpu: (user! + system!) * 1000 };
}

/** Tells whether the artifact of a profile stands there. */
function hasProfile(directory: string): boolean {
  return (readdirSync(directory, { recursive: true }) as string[]).filter((path) => /[0-9a-f]{62}$/.test(path))
    .map((path) => readFileSync(join(directory, path)).subarray(168))
    .some((payload) => payload.length > 1000 && payload[3]! >= 2);
}

/** Waits until no process of the engine runs any more. */
async function quiet(): Promise<void> {
  do await new Promise((resolve) => setTimeout(resolve, 200)); while (
    spawnSync("pgrep", ["-f", "process_main"]).status === 0
  );
}

function median(costs: readonly Cost[], of: keyof Cost): number {
  return costs.map((cost) => cost[of]).sort((a, b) => a - b)[costs.length >> 1]!;
}

async function compare(args: string[]): Promise<Cost[][]> {
  const warm = mkdtempSync(join(scratch, "warm-"));
  // The first process proves that the engine works here; one that ends before that leaves the rest to the next.
  for (let tries = 0; tries < 3 && !hasProfile(warm); tries++) {
    measure(["--import", hook(warm), ...args]);
    await quiet();
  }
  if (!hasProfile(warm)) throw new Error("no artifact was made in three runs");
  const costs: Cost[][] = [[], [], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const before = [[], ["--import", hook()], ["--import", hook(mkdtempSync(join(scratch, "cold-")))], [
      "--import",
      hook(warm),
    ]];
    for (const [i, options] of before.entries()) {
      costs[i]!.push(measure([...options, ...args]));
      await quiet();
    }
  }
  return costs;
}

try {
  if (!/^Node 2[24]/.test(runtime)) {
    console.log(`\n${runtime} lets no compiled code out.`);
  } else {
    const rows = [];
    for (const [name, args] of Object.entries(inputs())) {
      const medians = (await compare(args)).map((costs) => ({
        wall: median(costs, "wall"),
        cpu: median(costs, "cpu"),
      }));
      const [without, imported, cold, warm] = medians as [Cost, Cost, Cost, Cost];
      rows.push([
        name,
        ...medians.flatMap(({ wall, cpu }) => [wall, cpu]),
        ...[without.wall / warm.wall, without.cpu / warm.cpu].map((gain) => `${gain.toFixed(1)} ×`),
        ...[cold.wall / without.wall, cold.wall / imported.wall].map((ratio) => ratio.toFixed(2)),
      ]);
    }
    const times = ["without", "library imported", "cold", "warm"].flatMap((which) => [`${which}: wall, ms`, "CPU, ms"]);
    const ratios = ["gain, wall", "gain, CPU", "cold / without", "cold / imported"];
    printTable("V8's machine code", ["program", ...times, ...ratios], rows);
  }
} finally {
  rmSync(scratch, { recursive: true });
}
