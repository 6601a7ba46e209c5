// The program of the image: takes its modules from the directory that the build has filled, or says what is missing.

import { readFile } from "node:fs/promises";
import { ModuleCache } from "@wasm/module-cache";
import { bestEngine } from "@wasm/module-cache/v8";

const [directory, path] = process.argv.slice(2);
const cache = new ModuleCache({
  engine: bestEngine({ artifact: "none" }),
  directory,
  readOnly: true,
  // A module that was not warmed, or for another version of Node, is an error here, not a slow start.
  requireHit: true,
  strict: true,
});
const { from, module } = await cache.resolve(await readFile(path));
const { exports } = await WebAssembly.instantiate(module);
console.log(from, exports.run(1, 2));
