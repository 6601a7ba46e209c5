// Looks up a module whose entry is damaged again and again: 200 bits flipped, 50 truncations.

import { ModuleCache } from "@wasm/module-cache";
import { wasmtime } from "@wasm/module-cache/wasmtime";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";

const [directory, library, path = ""] = process.argv.slice(2);
const engine = wasmtime({ library });
const code = new Uint8Array(
  readFileSync(new URL("../../node_modules/@jsquash/oxipng/codec/pkg/squoosh_oxipng_bg.wasm", import.meta.url)),
);
const whole = new Uint8Array(readFileSync(path));
const spread = (i: number, below: number) => (Math.imul(i + 1, 0x9e3779b1) >>> 0) % below;
// To compile each time would take minutes.
const module = await engine.compile(code);
const hurried = { ...engine, compile: () => module, serialize: () => undefined };
const told: Record<string, number> = {};
for (let i = 0; i < 250; i++) {
  const entry = whole.slice(0, i < 200 ? whole.length : spread(i, whole.length));
  if (i < 200) entry[spread(i, entry.length)]! ^= 1 << i % 8;
  // A file of its own: what is mapped must not be changed.
  rmSync(path, { force: true });
  writeFileSync(path, entry, { mode: 0o600 });
  const cache = new ModuleCache({ engine: hurried, directory, onWarning: () => {} });
  const { from } = await cache.resolve(code);
  told[from] = (told[from] ?? 0) + 1;
}
console.log(JSON.stringify(told));
