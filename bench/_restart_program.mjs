// What restart_bench.ts measures, in a process of its own: 1,000 modules of 48 KB that differ by a section, one after
// another. Arguments: how ("plain", "resolve", "plain files" or "load"), the folder, the folder of the packed form.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [how, folder, form = ""] = process.argv.slice(2);
const { ModuleCache } = await import(form ? `${form}/mod.js` : "../mod.ts");
const require = createRequire(import.meta.url);
const code = readFileSync(require.resolve("./modules/node_modules/source-map/lib/mappings.wasm"));
const codes = Array.from({ length: 1000 }, (_, i) => {
  const name = [...`${i}`].map((digit) => digit.charCodeAt(0));
  return Uint8Array.from([...code, 0, 2 + name.length, 1, 118, ...name]);
});
const pathOf = (i) => `${folder}/files/${i}.wasm`;
if (!existsSync(`${folder}/files`)) {
  mkdirSync(`${folder}/files`);
  codes.forEach((code, i) => writeFileSync(pathOf(i), code));
}
const cache = new ModuleCache({ directory: folder, maxEntries: codes.length });
const ways = {
  "plain": (i) => WebAssembly.compile(codes[i]),
  "resolve": (i) => cache.resolve(codes[i]),
  "plain files": (i) => WebAssembly.compile(readFileSync(pathOf(i))),
  "load": (i) => cache.load(pathToFileURL(pathOf(i))),
};
const kept = [];
const start = performance.now();
for (let i = 0; i < codes.length; i++) kept.push(await ways[how](i));
console.log(performance.now() - start);
await cache.flush();
