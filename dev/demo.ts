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

async function look(runtime: Runtime, args: string[]): Promise<Shown> {
  const { code, output } = await run([...runtime.command, "dev/demo_lookup.ts", ...args], { capture: true });
  const line = output.split("\n").find((line) => line.startsWith("{"));
  if (code !== 0 || !line) throw new Error(`${runtime.name} failed:\n${output}`);
  return JSON.parse(line);
}
