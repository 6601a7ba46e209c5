// What does a prune of 100,000 entries take, and does its memory stay flat?

import { type Engine, ModuleCache } from "@wasm/module-cache";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { printTable } from "./_tools.ts";

const ENTRIES = [10_000, 100_000];
const ENTRY_BYTES = 1000;

const engine: Engine<number> = {
  id: "prune",
  compile: () => 1,
  serialize: () => Uint8Array.of(1),
  deserialize: () => 1,
};

/** Files with the names of entries; each was used a second after the one before. */
async function fill(directory: string, count: number): Promise<void> {
  // Its own entry says where the engine's folder is.
  const { key } = await new ModuleCache({ engine, directory, strict: true }).resolve(Uint8Array.of(0));
  const [folder] = readdirSync(`${directory}/v1`).filter((name) => name.startsWith("prune-"));
  const root = `${directory}/v1/${folder}`;
  rmSync(`${root}/${key.slice(0, 2)}`, { recursive: true });
  for (let i = 0; i < 256; i++) mkdirSync(`${root}/${i.toString(16).padStart(2, "0")}`);
  const content = new Uint8Array(ENTRY_BYTES);
  const start = Date.now() / 1000 - count - 3600;
  for (let i = 0; i < count; i++) {
    const path = `${root}/${(i % 256).toString(16).padStart(2, "0")}/${i.toString(16).padStart(62, "0")}`;
    writeFileSync(path, content);
    utimesSync(path, start + i, start + i);
  }
}

/** Time of a call, ms, its longest stall, ms, and by how much the memory of the process grew at most, MB. */
async function watched(call: () => Promise<unknown>): Promise<[number, number, number]> {
  const before = process.memoryUsage().rss;
  let most = before;
  let stall = 0;
  const start = performance.now();
  let last = start;
  const watching = setInterval(() => {
    const now = performance.now();
    stall = Math.max(stall, now - last);
    last = now;
    most = Math.max(most, process.memoryUsage().rss);
  }, 1);
  await call();
  const ms = performance.now() - start;
  clearInterval(watching);
  return [Math.round(ms), stall, (most - before) / 1e6];
}

const rows: (string | number)[][] = [];
for (const count of ENTRIES) {
  const directory = mkdtempSync(join(tmpdir(), "wasm-module-cache-bench-"));
  try {
    await fill(directory, count);
    const cache = new ModuleCache({ engine, directory, strict: true, maxDiskBytes: count * ENTRY_BYTES / 2 });
    const look = await watched(() => cache.prune({ dryRun: true }));
    const removal = await watched(async () => {
      const { removedEntries } = await cache.prune();
      if (removedEntries !== count * 0.6) throw new Error(`removed ${removedEntries}`);
    });
    const start = performance.now();
    cache.resolveSync(Uint8Array.of(1));
    rows.push([count, ...look, ...removal, performance.now() - start]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
printTable("Prune", [
  "entries",
  "look at all, ms",
  "stall, ms",
  "memory, MB",
  "remove 60 %, ms",
  "stall, ms",
  "memory, MB",
  "a cold lookup after, sync, ms",
], rows);
