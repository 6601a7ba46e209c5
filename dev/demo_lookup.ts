// One process of the demo: looks a real module up twice and prints where it came from and how long that took.
// Arguments: directory, engine, path of the code.

import { readFileSync } from "node:fs";
import process from "node:process";
import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";

/** An engine for gzipped code: to unpack it is the expensive step, and what is unpacked is the artifact. */
const gunzipEngine = prepared(hostEngine(), {
  id: "gunzip-1",
  prepare: async (code) => {
    const unpacked = new Response(code).body!.pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  },
});

const [directory = "", name, path = ""] = process.argv.slice(2);
const engine = name === "gunzip" ? gunzipEngine : hostEngine();
const code = new Uint8Array(readFileSync(path));
const cache = new ModuleCache({ engine, directory, strict: true });
const lookups = [await cache.resolve(code), await cache.resolve(code)];
await cache.flush();
console.log(JSON.stringify({
  isModule: lookups.every(({ module }) => module instanceof WebAssembly.Module),
  lookups: lookups.map(({ from, elapsedMs }) => ({ from, elapsedMs })),
}));
