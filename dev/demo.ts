// What the cache gains, shown on whole programs without it and with it, measured as it runs. Imports nothing of the cache.

import { quiet } from "../tests/packages/packages.ts";
import { chooseConfig, findRuntimes, installPackages, ROOT, run, type Runtime } from "./tools.ts";

/** What came of one process. */
interface Ran {
  /** Time from start to end, ms. */
  readonly ms: number;
  /** Where the module came from, if the cache was asked. */
  readonly from?: string;
}

const PROGRAM = `${ROOT}/dev/demo_esbuild.mjs`;
/** How often the program of the first part runs esbuild. */
const TIMES = 10;
/** How often the program of the second part starts at most, until it starts fast. */
const MAX_STARTS = 6;

console.log("Finding the runtimes; the first time they are downloaded.");
const config = await chooseConfig();
await installPackages();
const runtimes = await findRuntimes(config, ["bun", "node24"]);
const [deno, bun, node] = runtimes as [Runtime, Runtime, Runtime];
const scratch = await Deno.realPath(await Deno.makeTempDir({ prefix: "wasm-module-cache-demo-" }));
const input = `${scratch}/input.ts`;
const start = performance.now();
try {
  await Deno.writeTextFile(input, "let x: number = 1;\n");
  // Each runtime translates the library's TypeScript once.
  for (const runtime of runtimes) await runEsbuild(runtime, { cache: "host" });
  console.log("\nEach time is a whole process, from start to end, measured now on this machine.");
  await showMemory();
  await showMachineCode();
  await showCopies();
  await showStep();
  console.log(`\nTook ${seconds(performance.now() - start).trim()}.`);
} finally {
  await Deno.remove(scratch, { recursive: true });
}

/** The same module again in one process, on every runtime. */
async function showMemory(): Promise<void> {
  console.log(`
1. The same module again, in one process
   A program runs esbuild's command (14 MB of WebAssembly) ${TIMES} times, as a server would for ${TIMES} requests.
   The program is not changed: one flag puts the cache behind its WebAssembly calls.
`);
  for (const runtime of runtimes) {
    const without = await runEsbuild(runtime, { times: TIMES });
    const cached = await runEsbuild(runtime, { times: TIMES, cache: "host" });
    line(runtime, "without the cache", without);
    line(runtime, "with the cache", cached, without);
  }
}

/** A program that starts again and again, on the runtime whose engine lets machine code out. */
async function showMachineCode(): Promise<void> {
  console.log(`
2. The same program again, in a new process
   Node 22 to 25: the cache stores V8's machine code, which is made in the background after a start.
`);
  const directory = `${scratch}/v8`;
  const without = await runEsbuild(node);
  line(node, "without the cache", without);
  for (let i = 1; i <= MAX_STARTS; i++) {
    const cached = await runEsbuild(node, { cache: "auto", directory });
    const isLast = cached.from === "disk" && cached.ms < without.ms * 0.6 || i === MAX_STARTS;
    line(node, `with it, start ${i}: ${cached.from}`, cached, isLast ? without : undefined);
    if (isLast && cached.from !== "disk") throw new Error("no machine code was made");
    if (isLast) return;
    const waiting = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await quiet(directory);
    console.log(`   ${"".padEnd(14)}(waited ${seconds(performance.now() - waiting).trim()} for the machine code)`);
  }
}

/** The same on runtimes where the directory holds copies of the code. */
async function showCopies(): Promise<void> {
  console.log(`
   Deno, Bun and Node 26 do not let a program store compiled code: the directory holds the code itself, and a new
   process compiles it again. There is nothing to gain here without Wasmtime's library (docs/engines.md).
`);
  for (const runtime of [deno, bun]) {
    const directory = `${scratch}/copies`;
    const without = await runEsbuild(runtime);
    await runEsbuild(runtime, { cache: "host", directory });
    const cached = await runEsbuild(runtime, { cache: "host", directory });
    line(runtime, "without the cache", without);
    line(runtime, `with it, start 2: ${cached.from}`, cached, without);
  }
}

/** A step whose output every runtime can use. */
async function showStep(): Promise<void> {
  console.log(`
3. A costly step before the compiler
   Binaryen optimizes a PNG compressor (0.2 MB) at -O2. Its output is stored, and every later process of every
   runtime uses it.
`);
  const wasm = `${ROOT}/node_modules/@jsquash/oxipng/codec/pkg/squoosh_oxipng_bg.wasm`;
  const look = ({ command }: Runtime, ...args: string[]) => timed([...command, "dev/demo_lookup.ts", ...args]);
  // Deno may have to fetch Binaryen from npm first.
  await Deno.writeFile(`${scratch}/empty.wasm`, Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  await look(deno, `${scratch}/first`, `${scratch}/empty.wasm`);
  let first: Ran | undefined;
  for (const runtime of [deno, deno, bun, node]) {
    const { output, ms } = await look(runtime, `${scratch}/step`, wasm);
    const from = output.match(/^from (\w+)$/m)?.[1];
    if (from !== (first ? "disk" : "compiled")) throw new Error(`${runtime.name} failed:\n${output}`);
    line(runtime, first ? "output from disk" : "optimized, compiled", { ms }, first);
    first ??= { ms };
  }
}

/** Runs esbuild's command in a new process: `times` times, and through the cache where an engine is named. */
async function runEsbuild(
  { name, command }: Runtime,
  { times = 1, cache, directory }: { times?: number; cache?: "auto" | "host"; directory?: string } = {},
): Promise<Ran> {
  const option = name.startsWith("Node") ? "--import" : "--preload";
  const preload = cache ? [option, `${ROOT}/register.ts`] : [];
  const { ms, output } = await timed([...command, ...preload, PROGRAM, `${times}`, input], {
    WASM_CACHE: "on",
    WASM_CACHE_ENGINE: cache ?? "",
    WASM_CACHE_DIR: directory ?? "",
    WASM_CACHE_LOG: "trace",
  });
  const isRight = output.match(/^let x=1;$/gm)?.length === times;
  const from = output.match(/^wasm-module-cache: (compiled|disk|memory) /m)?.[1];
  if (!isRight || cache && !from) throw new Error(`${name} failed:\n${output}`);
  return { ms, from };
}

async function timed(
  command: readonly string[],
  env?: Record<string, string>,
): Promise<{ ms: number; output: string }> {
  const start = performance.now();
  const { code, output } = await run(command, { capture: true, env });
  if (code !== 0) throw new Error(`${command.join(" ")} failed:\n${output}`);
  return { ms: performance.now() - start, output };
}

/** Prints a process, and how it compares. */
function line({ name }: Runtime, what: string, { ms }: Ran, before?: Ran): void {
  const gain = before ? gainOf(before.ms, ms) : "";
  console.log(`   ${name.padEnd(14)}${what.padEnd(26)}${seconds(ms)}   ${gain}`.trimEnd());
}

/** In words; times vary by a tenth and more from run to run. */
function gainOf(beforeMs: number, ms: number): string {
  if (beforeMs / ms >= 1.2) return `${(beforeMs / ms).toFixed(1)} times as fast`;
  return ms / beforeMs >= 1.2 ? `${seconds(ms - beforeMs).trim()} slower` : "no gain";
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`.padStart(8);
}
