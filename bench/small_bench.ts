// Below which size does a lookup lose against a plain compile? Many modules that differ, in processes of their own: each is
// compiled once, then all once more. `BENCH_KB=6,64` chooses sizes, `BENCH_ROUNDS` how often;
// with `BENCH_CPU=1` it is the time of the processors, which others on the machine change less.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { printTable, ROOT, runtime } from "./_tools.ts";

const sizes = (process.env.BENCH_KB ?? "1,2,4,6,16,64,256").split(",").map(Number);
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);

/** Node users get JavaScript, as JSR's npm packages have it: the task packs it. */
const root = runtime.startsWith("Node") && process.env.BENCH_PACKED ? dirname(process.env.BENCH_PACKED) : ROOT;
const extension = root === ROOT ? "ts" : "js";
const register = join(root, `register.${extension}`);
const [preload, ...before] = runtime.startsWith("Deno")
  ? ["--preload", "run", "-A", "--no-lock", "--config", join(ROOT, process.env.BENCH_CONFIG ?? "deno.json")]
  : [runtime.startsWith("Bun") ? "--preload" : "--import"];

/** Prints µs for each module: the first time, again, and the first time until all is written. */
const SCRIPT = `
  import process from "node:process";
  const { KB, COUNT, MODE, GET, DIRECTORY } = process.env;
  const leb = (n) => n < 128 ? [n] : [n & 127 | 128, ...leb(n >>> 7)];
  const sleb = (n) => n >= -64 && n < 64 ? [n & 127] : [n & 127 | 128, ...sleb(n >> 7)];
  const section = (id, content) => [id, ...leb(content.length), ...content];
  function moduleOf(bytes, salt) {
    const bodies = [];
    for (let length = 60, k = 0; length < bytes; length += bodies[k++].length + 1) {
      const body = [1, 2, 127];
      for (let i = 0; i < 24; i++) {
        const constant = sleb(Math.imul(salt + 1, 2654435761) + k * 40503 + i * 977 | 0);
        body.push(0x20, 0, 0x41, ...constant, 0x6a, 0x21, 0, 0x20, 1, 0x20, 0, 0x73, 0x21, 1);
      }
      bodies.push([...leb(body.length + 1), ...body, 11]);
    }
    const types = section(1, [1, 0x60, 0, 0]);
    const functions = section(3, [...leb(bodies.length), ...bodies.map(() => 0)]);
    const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...types, ...functions];
    return Uint8Array.from([...head, ...section(10, [...leb(bodies.length), ...bodies.flat()])]);
  }
  const codes = Array.from({ length: Number(COUNT) }, (_, i) => moduleOf(Number(KB) * 1024, i));
  const { get, getSync, hostEngine } = GET ? await import(GET) : {};
  const compile = {
    sync: GET ? (code) => getSync(hostEngine(), code, DIRECTORY) : (code) => new WebAssembly.Module(code),
    async: GET ? (code) => get(hostEngine(), code, DIRECTORY) : (code) => WebAssembly.compile(code),
  }[MODE];
  // What the first of all has to load is another benchmark's.
  const first = moduleOf(300 * 1024, -1);
  await compile(first);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const kept = [];
  const now = process.env.BENCH_CPU
    ? () => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000
    : () => performance.now();
  const each = async () => {
    const start = now();
    if (MODE === "sync") for (const code of codes) kept.push(compile(code));
    else for (const code of codes) kept.push(await compile(code));
    return (now() - start) * 1000 / codes.length;
  };
  const start = now();
  const once = await each();
  if (DIRECTORY) {
    process.on("exit", () => console.log(once, 0, (now() - start) * 1000 / codes.length));
  } else console.log(once, await each(), 0);
`;

const folder = mkdtempSync(join(ROOT, ".cache-"));
const script = join(folder, "small.mjs");
const path = (name: string) => join(folder, name);

interface Setup {
  readonly register?: boolean;
  readonly get?: boolean;
  readonly directory?: boolean;
}

function run(kb: number, mode: string, setup: Setup, directory: string): number[] {
  const args = [...before, ...setup.register ? [preload!, register] : [], script];
  const given = {
    KB: `${kb}`,
    COUNT: `${Math.max(20, Math.min(300, Math.round(4000 / kb)))}`,
    MODE: mode,
    GET: setup.get ? join(root, `mod.${extension}`) : "",
    DIRECTORY: setup.directory ? directory : "",
    WASM_CACHE_DIR: setup.register && setup.directory ? directory : "",
    WASM_CACHE_ENGINE: "host",
    WASM_CACHE_MIN_BYTES: process.env.WASM_CACHE_MIN_BYTES ?? "1",
  };
  const { status, stderr, stdout } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, ...given },
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim().split(" ").map(Number);
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

try {
  writeFileSync(script, SCRIPT);
  for (const mode of ["sync", "async"]) {
    const rows = [];
    for (const kb of sizes) {
      const columns: number[][] = Array.from({ length: 8 }, () => []);
      for (let round = 0; round < rounds; round++) {
        const registered = path(`${mode}-${kb}-${round}-register`);
        const got = path(`${mode}-${kb}-${round}-get`);
        const [plain, again] = run(kb, mode, {}, "");
        const [memory, hit] = run(kb, mode, { register: true }, "");
        const [, , written] = run(kb, mode, { register: true, directory: true }, registered);
        const [, , disk] = run(kb, mode, { register: true, directory: true }, registered);
        const [, , getWritten] = run(kb, mode, { get: true, directory: true }, got);
        const [, , getDisk] = run(kb, mode, { get: true, directory: true }, got);
        [plain, again, memory, hit, written, disk, getWritten, getDisk].forEach((us, i) => columns[i]!.push(us!));
        for (const directory of [registered, got]) rmSync(directory, { recursive: true, force: true });
      }
      rows.push([`${kb} KB`, ...columns.map(median)]);
    }
    printTable(`Modules that differ, ${mode}: µs each`, [
      "size",
      "plain",
      "plain again",
      "register, memory",
      "memory hit",
      "register, directory, first run",
      "second run",
      "get, first run",
      "second run",
    ], rows);
  }
} finally {
  rmSync(folder, { recursive: true });
}
