// Shows the main job on a real module: cold, then warm in a second process, then in the other runtimes.

import { chooseConfig, findRuntimes, installPackages, ROOT, run, type Runtime } from "./tools.ts";

interface Shown {
  readonly isModule: boolean;
  readonly lookups: readonly { from: string; elapsedMs: number }[];
}

const config = await chooseConfig();
await installPackages();
const [deno, bun, node] = await findRuntimes(config, ["bun", "node24"]);
const scratch = await Deno.makeTempDir({ prefix: "wasm-module-cache-demo-" });
try {
  const wasm = `${ROOT}/node_modules/esbuild-wasm/esbuild.wasm`;
  const gzipped = `${scratch}/esbuild.wasm.gz`;
  const packed = (await Deno.open(wasm)).readable.pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(gzipped, packed);
  console.log("\nesbuild.wasm, 14 MB, with the host engine. It keeps the code, for no runtime lets compiled code out:");
  console.log("memory saves the compile, the disk does not.\n");
  await tell("host", wasm);
  console.log("\nThe same module gzipped, with an engine of ten lines that keeps what it unpacked:");
  console.log("the disk saves the unpacking, in every process and every runtime after the first.\n");
  await tell("gunzip", gzipped);
  console.log(
    "\nesbuild's own command, whole processes on Node, with the V8 engine that keeps machine code: it is made",
  );
  console.log("by another process when one ends, once the engine is proven there.\n");
  await tellV8(node!);
} finally {
  await Deno.remove(scratch, { recursive: true });
}

/** Looks the module up in one process after another, all on one directory. */
async function tell(engine: string, path: string): Promise<void> {
  const directory = `${scratch}/${engine}`;
  let coldMs: number | undefined;
  for (const [i, runtime] of [deno, deno, bun, bun, node, node].entries()) {
    const { isModule, lookups } = await look(runtime!, [directory, engine, path]);
    if (!isModule) throw new Error(`${runtime!.name} gave something else than a module`);
    for (const { from, elapsedMs } of lookups) {
      coldMs ??= elapsedMs;
      const ratio = `${(coldMs / elapsedMs).toFixed(1)} ×`.padStart(10);
      const who = `process ${i + 1}, ${runtime!.name}`.padEnd(26);
      console.log(`  ${who}${from.padEnd(10)}${elapsedMs.toFixed(1).padStart(8)} ms${ratio}`);
    }
    // Ratios are to the first lookup of the same runtime.
    if (i % 2 === 1) coldMs = undefined;
  }
}

/** Runs a program whose module comes through a cache until it starts from machine code. */
async function tellV8({ name, command }: Runtime): Promise<void> {
  const script = `${scratch}/input.ts`;
  await Deno.writeTextFile(script, "let x: number = 1;\n");
  const env = { V8_TEST_DIRECTORY: `${scratch}/v8` };
  let coldMs: number | undefined;
  for (let i = 1; i <= 4; i++) {
    const start = performance.now();
    const esbuild = ["--import", `${ROOT}/tests/_v8_hook.ts`, `${ROOT}/node_modules/esbuild-wasm/bin/esbuild`, script];
    const { code, output } = await run([...command, ...esbuild], { capture: true, env });
    const ms = performance.now() - start;
    coldMs ??= ms;
    const from = output.match(/^from (\w+)/m)?.[1];
    if (code !== 0 || !from) throw new Error(`${name} failed:\n${output}`);
    const who = `process ${i}, ${name}`.padEnd(26);
    const ratio = `${(coldMs / ms).toFixed(1)} ×`.padStart(10);
    console.log(`  ${who}${from.padEnd(10)}${ms.toFixed(1).padStart(8)} ms${ratio}`);
    // The first may end before the engine is proven, and the artifact takes its time.
    if (from === "compiled") await artifact(`${scratch}/v8`, i === 1 ? 5000 : 30_000);
  }
}

/** Waits until an artifact of all that was executed stands there. */
async function artifact(directory: string, limitMs: number): Promise<void> {
  for (let ms = 0; ms < limitMs; ms += 250) {
    for await (const path of filesIn(directory)) {
      // The payload begins behind a header of 168 bytes; its fourth byte is the artifact's grade.
      const isEntry = /[\\/][0-9a-f]{62}$/.test(path) && (await Deno.stat(path)).size > 10_000;
      if (isEntry && (await Deno.readFile(path))[171]! >= 2) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function* filesIn(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesIn(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

async function look(runtime: Runtime, args: string[]): Promise<Shown> {
  const { code, output } = await run([...runtime.command, "dev/demo_lookup.ts", ...args], { capture: true });
  const line = output.split("\n").find((line) => line.startsWith("{"));
  if (code !== 0 || !line) throw new Error(`${runtime.name} failed:\n${output}`);
  return JSON.parse(line);
}
