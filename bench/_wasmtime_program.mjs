// What wasmtime_bench.ts measures, in a process of its own. Arguments: which program, how ("own", "warm", "cached" or
// "unchanged"), the directory, the library, the folder of the packed form. Prints ms, where the time is not that of the
// whole process; processor time and memory go to stderr.

import * as fs from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [program, how, directory, library, form = ""] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const isOwn = how === "own";
const load = async (name) => await import(form ? `${form}/${name}.js` : `../${name}.ts`);
const { ModuleCache } = isOwn ? {} : await load("mod");
const { wasmtime } = isOwn ? {} : await load("wasmtime");
const engine = isOwn ? undefined : wasmtime({ library });
const options = {
  engine: how === "warm" ? engine.thorough : engine,
  directory,
  trustUnchanged: how === "unchanged",
  maxEntries: 4000,
};
const cache = isOwn ? undefined : new ModuleCache(options);

const programs = { esbuild, modules, calls };
await programs[program]();
await cache?.flush();
const { user, system } = process.cpuUsage();
console.error(JSON.stringify({ cpu: (user + system) / 1000, rss: process.memoryUsage().rss / 1e6 }));

/** Minifies a file of 220 KB. */
async function esbuild() {
  Object.assign(globalThis, { fs, process, path: require("node:path") });
  require("../node_modules/esbuild-wasm/wasm_exec.js");
  const wasm = require.resolve("../node_modules/esbuild-wasm/esbuild.wasm");
  const go = new globalThis.Go();
  go.argv = ["esbuild", "--minify", "--log-level=error", `${directory}/input.ts`];
  if (isOwn) {
    const { instance } = await WebAssembly.instantiate(fs.readFileSync(wasm), go.importObject);
    return await go.run(instance);
  }
  const { exports } = engine.instantiate(await cache.load(pathToFileURL(wasm)), go.importObject);
  // Go's glue asks for an instance of the runtime.
  await go.run(Object.create(WebAssembly.Instance.prototype, { exports: { value: exports } }));
}

/** Compiles 1,000 modules of 48 KB that differ by a section, synchronously. */
async function modules() {
  const code = fs.readFileSync(require.resolve("./modules/node_modules/source-map/lib/mappings.wasm"));
  const codes = Array.from({ length: 1000 }, (_, i) => {
    const name = [...`${i}`].map((digit) => digit.charCodeAt(0));
    return Uint8Array.from([...code, 0, 2 + name.length, 1, 118, ...name]);
  });
  const start = performance.now();
  const all = [];
  for (const each of codes) {
    if (isOwn) all.push(new WebAssembly.Module(each));
    // The better code is made by promises only.
    else all.push(how === "warm" ? await cache.compile(each) : cache.compileSync(each));
  }
  console.log(performance.now() - start);
}

/** Calls in and out, ns each. */
async function calls() {
  // (import "e" "f" (func $f (param i32) (result i32))), "add", and "loop", which calls $f so often.
  const code = Uint8Array.from(
    atob(
      "AGFzbQEAAAABDAJgAX8Bf2ACf38BfwIHAQFlAWYAAAMDAgEABw4CA2FkZAABBGxvb3AAAgolAgcAIAAgAWoLGwEBfwNAIAEgABAAaiEBIABBAWsiAA0ACyABCw==",
    ),
    (character) => character.charCodeAt(0),
  );
  const imports = { e: { f: (value) => value + 1 } };
  const { exports } = isOwn
    ? (await WebAssembly.instantiate(code, imports)).instance
    : engine.instantiate(await engine.thorough.compile(code), imports);
  const times = [];
  for (let round = 0; round < 3; round++) {
    let start = performance.now();
    let sum = 0;
    for (let i = 0; i < 2_000_000; i++) sum = exports.add(sum, i);
    const add = (performance.now() - start) / 2;
    start = performance.now();
    exports.loop(1_000_000);
    times.push([add, performance.now() - start]);
  }
  console.log(JSON.stringify(times.at(-1)));
}
