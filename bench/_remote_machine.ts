// One machine of remote_bench.ts: looks modules up with a directory of its own and a Redis server that all share. Prints
// where they came from, and how long each lookup took, ms. Arguments: URL of Redis, directory, files.

import { readFileSync } from "node:fs";
import process from "node:process";
import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
import { redisTier } from "./_redis.ts";

const [url = "", directory = "", ...files] = process.argv.slice(2);

const engine = prepared(hostEngine(), binaryenOptimizer({ optimizeLevel: 2 }));
const { close, tier: remote } = redisTier(url);
const cache = new ModuleCache({ engine, directory, remote, strict: true });
const found: [from: string, ms: number][] = [];
for (const file of files) {
  const { elapsedMs, from } = await cache.resolve(new Uint8Array(readFileSync(file)));
  found.push([from, elapsedMs]);
}
await cache.flush();
close();
console.log(JSON.stringify(found));
