// One process of prepared_bench.ts: `cold directory`, `warm directory` or `plain output`. Prints a time, ms.

import { readFileSync } from "node:fs";
import process from "node:process";
import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";

const [task, path = "", sqlite = ""] = process.argv.slice(2);

async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

/** Time of the first lookup, which must come from where it is said to. */
async function lookUp(from: "compiled" | "disk"): Promise<number> {
  const code = new Uint8Array(readFileSync(sqlite));
  const engine = prepared(hostEngine(), binaryenOptimizer({ optimizeLevel: 2 }));
  const cache = new ModuleCache({ engine, directory: path, strict: true });
  let found: string | undefined;
  const ms = await timeOf(async () => found = (await cache.resolve(code)).from);
  if (found !== from) throw new Error(`found it as ${found}, not ${from}`);
  await cache.flush();
  return ms;
}

if (task === "plain") {
  const code = new Uint8Array(readFileSync(path));
  console.log(await timeOf(() => WebAssembly.compile(code)));
} else console.log(await lookUp(task === "cold" ? "compiled" : "disk"));
