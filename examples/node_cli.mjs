// A command for Node that minifies JavaScript by esbuild's WebAssembly. It knows nothing of the cache:
//
//   node --import @wasm/module-cache/register examples/node_cli.mjs app.js
//
// The first run leaves V8's machine code in the user's directory; from the next run on it starts from that (Node 22 to
// 25). WASM_CACHE_LOG=summary says what it gained.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const [input] = process.argv.slice(2);
if (!input) {
  console.error("Usage: node_cli.mjs FILE");
  process.exit(2);
}
const esbuild = createRequire(import.meta.url).resolve("esbuild-wasm/bin/esbuild");
// esbuild is a process of its own: it gets the same preload.
const output = execFileSync(process.execPath, [...process.execArgv, esbuild, input, "--minify"], { encoding: "utf8" });
process.stdout.write(output);
