// The entry for browsers, which takes a compiled module. It looks for `self`, which Node has not.
// The entry for Node starts the `node` that is on the path and does its work there.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import * as esbuild from "esbuild-wasm/esm/browser.js";

const source = `
  enum Colour { Red, Green }
  export const name = (colour: Colour): string => Colour[colour] ?? "none";
  export const unused = () => { if (false) console.log("never"); return 1 + 2 };
`;
const file = createRequire(import.meta.url).resolve("esbuild-wasm/esbuild.wasm");
const wasmModule = await WebAssembly.compile(await readFile(file));
globalThis.self ??= globalThis;
await esbuild.initialize({ wasmModule, worker: false });
const { code, warnings } = await esbuild.transform(source, { loader: "ts", minify: true, target: "es2019" });
console.log(`esbuild ${esbuild.version}`);
console.log(code.trimEnd());
console.log(warnings.map(({ text }) => text).join("\n"));
await esbuild.stop();
