// Makes what nobody keeps, and prints what the process has after a fifth of it and after all: mappings, and resident
// memory in MB. Arguments: the library, "instances" or "references", how many.

import { wasmtime } from "@wasm/module-cache/wasmtime";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { codeOf } from "./_engine.ts";

const [library, what, count] = process.argv.slice(2) as [string, string, string];
const engine = wasmtime({ library });
const module = await engine.compile(
  await codeOf(`(module (memory (export "m") 1) (table $t (export "t") 10 externref)
    (func (export "f") (result i32) (i32.const 7))
    (func (export "put") (param i32 externref) (result externref)
      (table.set $t (local.get 0) (local.get 1)) (table.get $t (local.get 0))))`),
);
const kept = engine.instantiate(module);

const makers: Record<string, (i: number) => void> = {
  instances: () => {
    const { exports } = engine.instantiate(module);
    // A page of its memory is resident.
    new Uint8Array(exports.m.buffer)[exports.f()] = 1;
  },
  references: (i) => {
    const value = new Array<number>(300).fill(i);
    if (kept.exports.put(i % 10, value) !== value) throw new Error(`reference ${i} came back as another value`);
  },
};

async function make(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    makers[what]!(i);
    if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

function inUse(): { mappings: number; megabytes: number } {
  const maps = "/proc/self/maps";
  return {
    mappings: existsSync(maps) ? readFileSync(maps, "utf8").split("\n").length : 0,
    megabytes: process.memoryUsage().rss / 1e6,
  };
}

await make(Number(count) / 5);
const early = inUse();
await make(Number(count) * 4 / 5);
console.log(JSON.stringify({ early, late: inUse() }));
