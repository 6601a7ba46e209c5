// What does a remote tier give and cost? Remote hits against compiles, fleets of machines (processes with a directory
// each) on one Redis server, and lookups beside a remote that is dead. Needs redis-server. BENCH_MACHINES says how large the
// fleets are: 8,32. WASM_CACHE_WASMTIME names Wasmtime's library.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
import { type Engine, hostEngine, ModuleCache, prepared, type RemoteTier } from "@wasm/module-cache";
import { wasmtime } from "@wasm/module-cache/wasmtime";
import { missing, startRedis } from "../tests/remote/_servers.ts";
import { redisTier } from "./_redis.ts";
import { modules, printTable, ROOT, runtime, timeOf } from "./_tools.ts";

const MODULES = [
  "@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm",
  "@jsquash/oxipng/codec/pkg/squoosh_oxipng_bg.wasm",
]
  .map((path) => join(ROOT, "node_modules", path));
const sizes = (process.env.BENCH_MACHINES ?? "8").split(",").map(Number);
const folder = mkdtempSync(join(tmpdir(), "wasm-module-cache-bench-"));

const middle = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;

/** What compiling takes, what making the best entry takes, and what a hit at the remote takes that has it; ms. */
async function hitAgainstCompile<M>(engine: Engine<M>, code: Uint8Array<ArrayBuffer>, remote: RemoteTier) {
  const secret = new TextEncoder().encode("a secret of no less than 32 bytes");
  const options = { engine, secret, strict: true };
  const cold: number[] = [];
  for (let round = 0; round < 3; round++) {
    // A directory of its own each time, as on a machine that never saw the module.
    const cache = new ModuleCache({ ...options, directory: join(folder, `cold-${engine.id.length}-${round}`) });
    cold.push(await timeOf(() => cache.resolve(code)));
  }
  const maker = new ModuleCache({ ...options, remote, remoteTimeoutMs: 10_000 });
  const bestMs = await timeOf(() => maker.warm([code]));
  const hits: number[] = [];
  let bytes = 0;
  for (let round = 0; round < 11; round++) {
    const directory = join(folder, `hit-${engine.id.length}-${round}`);
    const cache = new ModuleCache({ ...options, remote, directory, remoteTimeoutMs: 10_000 });
    hits.push(
      await timeOf(async () => {
        const { from } = await cache.resolve(code);
        if (from !== "remote") throw new Error(`it came from ${from}`);
      }),
    );
    bytes = cache.stats().remoteBytesRead;
    rmSync(directory, { recursive: true });
  }
  return { coldMs: middle(cold), bestMs, hitMs: middle(hits), bytes };
}

async function hits(): Promise<void> {
  const server = await startRedis();
  const { close, tier } = redisTier(server.url);
  const rows: (string | number)[][] = [];
  const row = async (name: string, engine: Engine<unknown>, code: Uint8Array<ArrayBuffer>) => {
    const { bestMs, bytes, coldMs, hitMs } = await hitAgainstCompile(engine, code, tier);
    rows.push([name, bytes / 1e6, coldMs, bestMs, hitMs, coldMs / hitMs, bestMs / hitMs]);
  };
  const codeOf = (name: string) => modules.find((module) => module.name.startsWith(name))!.code;
  try {
    const optimizing = prepared(hostEngine(), binaryenOptimizer({ optimizeLevel: 2 }));
    await row("sqlite, prepared at -O2", optimizing as Engine<unknown>, codeOf("sqlite"));
    if (wasmtime.available().available) {
      await row("esbuild, Wasmtime", wasmtime() as unknown as Engine<unknown>, codeOf("esbuild"));
    }
  } finally {
    close();
    await server.stop();
  }
  const head = ["module, engine", "entry, MB", "compile, ms", "warm, ms", "hit, ms", "gain", "of warm"];
  printTable("Remote hit against compile", head, rows);
}

/** Runs a machine; gives where its modules came from. */
function machine(url: string, name: string): Promise<[string, number][]> {
  const before = runtime.startsWith("Deno")
    ? ["run", "-A", "--no-lock", "--config", join(ROOT, process.env.BENCH_CONFIG ?? "deno.json")]
    : [];
  const args = [...before, join(ROOT, "bench/_remote_machine.ts"), url, join(folder, name), ...MODULES];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (chunk) => printed += chunk);
  return new Promise((resolve, reject) => {
    child.on("close", (code) => code === 0 ? resolve(JSON.parse(printed)) : reject(new Error(`${name}: ${code}`)));
  });
}

async function fleet(kind: string, size: number, url: string): Promise<(string | number)[]> {
  const start = performance.now();
  const names = Array.from({ length: size }, (_, at) => `${kind}-${size}-${at}`.replaceAll(" ", "_"));
  const found = [];
  if (kind === "one after another") { for (const name of names) found.push(await machine(url, name)); }
  else found.push(...await Promise.all(names.map((name) => machine(url, name))));
  const wallMs = performance.now() - start;
  const all = found.flat();
  const compiles = all.filter(([from]) => from === "compiled").length;
  const waits = all.filter(([from]) => from === "remote").map(([, ms]) => ms);
  return [kind, size, MODULES.length, compiles, waits.length > 0 ? middle(waits) : "", wallMs / 1000];
}

/** The largest fleet that starts with nothing there, and so compiles everything on this one machine. */
const MAX_COLD = 16;

async function fleets(): Promise<void> {
  const atOnce = sizes.flatMap((size): [string, number][] => [
    ...size <= MAX_COLD ? [["at once, nothing there", size] as [string, number]] : [],
    ["at once, warmed", size],
  ]);
  const rows = [];
  for (const [kind, size] of [["one after another", 8] as [string, number], ...atOnce]) {
    const server = await startRedis();
    try {
      if (kind.endsWith("warmed")) await machine(server.url, `warming-${size}`);
      rows.push(await fleet(kind, size, server.url));
    } finally {
      await server.stop();
    }
  }
  const head = ["start", "machines", "modules", "compiles in all", "remote hit, median ms", "all done, s"];
  printTable("Fleets on one Redis server", head, rows);
}

/** A lookup of small code that is new each time, µs. */
async function lookupUs(remote: RemoteTier | undefined, count: number): Promise<number[]> {
  const text = new TextDecoder();
  const engine: Engine<string> = {
    id: "text",
    compile: (code) => text.decode(code),
    serialize: (module) => new TextEncoder().encode(module),
    deserialize: (artifact) => text.decode(artifact),
  };
  const cache = new ModuleCache({ engine, remote, onWarning: () => {} });
  const times = [];
  for (let at = 0; at < count; at++) {
    const code = new TextEncoder().encode(`code ${at} `.padEnd(1000, "x"));
    times.push(1000 * await timeOf(() => cache.resolve(code)));
  }
  return times;
}

async function dead(): Promise<void> {
  const { httpRemote } = await import("@wasm/module-cache/remote/http");
  // Nothing listens there.
  const remote = httpRemote("http://127.0.0.1:65529");
  const [without, beside] = [await lookupUs(undefined, 5000), await lookupUs(remote, 5000)];
  const rows = [["without a remote", ...of(without)], ["its remote is dead, breaker open", ...of(beside.slice(3))]];
  printTable("A lookup in memory, µs", ["", "median", "p99"], rows);
}

function of(times: number[]): number[] {
  const sorted = times.toSorted((a, b) => a - b);
  return [sorted[sorted.length >> 1]!, sorted[Math.floor(sorted.length * 0.99)]!];
}

if (missing.redis) console.log(`\nremote_bench: ${missing.redis}`);
else {
  try {
    await dead();
    await hits();
    await fleets();
  } finally {
    rmSync(folder, { recursive: true });
  }
}
