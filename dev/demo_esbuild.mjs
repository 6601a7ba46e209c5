// A program of the demo: runs esbuild's command, 14 MB of WebAssembly, as often as told, each time from its bytes, as a
// server would that runs a command for each request. It knows nothing of the cache. Arguments: how often, a file to minify.

import * as fs from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const [count, path] = process.argv.slice(2);
const require = createRequire(import.meta.url);
// What Go's glue takes from the global object; on Node it is there.
Object.assign(globalThis, { fs, process });
require("../node_modules/esbuild-wasm/wasm_exec.js");
const wasm = require.resolve("../node_modules/esbuild-wasm/esbuild.wasm");

for (let i = 0; i < Number(count); i++) {
  const go = new globalThis.Go();
  go.argv = ["esbuild", "--minify", "--log-level=error", path];
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(wasm), go.importObject);
  await go.run(instance);
}
