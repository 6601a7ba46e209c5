// Looks up one module by the Wasmtime engine, calls it, and tells where it came from.

import { ModuleCache } from "@wasm/module-cache";
import { NativeModule, wasmtime } from "@wasm/module-cache/wasmtime";
import { readFileSync } from "node:fs";
import process from "node:process";

const [directory, library, how] = process.argv.slice(2);
const engine = wasmtime({ library });
const path = new URL("../../node_modules/@jsquash/oxipng/codec/pkg/squoosh_oxipng_bg.wasm", import.meta.url);
const code = new Uint8Array(readFileSync(path));
const cache = new ModuleCache({ engine, directory, strict: true });
if (how === "warm") await cache.warm([code]);
const { from, module } = await cache.resolve(code);
const nothing = () => 0;
const imports: Record<string, Record<string, unknown>> = {};
for (const { module: from, name } of NativeModule.imports(module)) (imports[from] ??= {})[name] = nothing;
const { exports } = engine.instantiate(module, imports);
// Takes a module of the better compiler only.
const artifact = new Uint8Array(await engine.serialize(module, code) as Uint8Array);
const isBest = await engine.thorough!.deserialize(artifact, code) !== undefined;
console.log(JSON.stringify({ from, answer: exports.__wbindgen_malloc(16, 8) > 0 ? 1 : 0, isBest }));
if (how === "exit") process.exit(0);
