// A program with a cache of the V8 engine: asks sqlite something and prints what it said, where the module came from, and
// how many processes it started. Arguments: directory, what to do, secret.

import childProcess from "node:child_process";
import { rmSync } from "node:fs";
import process from "node:process";
import { Worker } from "node:worker_threads";
import { ModuleCache } from "@wasm/module-cache";
import { v8Engine, type V8EngineOptions } from "@wasm/module-cache/v8";
import { query } from "./_sqlite.ts";
import { bytes, realModule } from "./_tools.ts";

const [directory = "", task = "profile", secret] = process.argv.slice(2);
const options = {
  engine: v8Engine({ artifact: ["none", "full"].includes(task) ? task as V8EngineOptions["artifact"] : "profile" }),
  directory,
  strict: true,
  ...(secret ? { secret: bytes(secret) } : {}),
  ...(process.env.V8_TEST_MAX_BYTES ? { maxDiskBytes: Number(process.env.V8_TEST_MAX_BYTES) } : {}),
};

let started = 0;
const { spawn } = childProcess;
childProcess.spawn = ((...given: Parameters<typeof spawn>) => (started++, spawn(...given))) as typeof spawn;

/** The same answer whichever way the module came. */
function answer(): Record<string, unknown> {
  const code = realModule("sqlite");
  const { module, from, reason } = new ModuleCache(options).resolveSync(code);
  // What nobody keeps is forgotten.
  (globalThis as { kept?: unknown }).kept = module;
  const sql = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000) select sum(i * 3) from n";
  const sections = WebAssembly.Module.customSections(module, "producers").length;
  const surface = [WebAssembly.Module.imports(module), WebAssembly.Module.exports(module), sections];
  return { from, reason, answer: query(module, sql), surface: JSON.stringify(surface) };
}

if (task === "warm") {
  const progress: unknown[] = [];
  await new ModuleCache(options).warm([realModule("sqlite")], { onProgress: (each) => progress.push(each) });
  console.log(JSON.stringify({ progress }));
} else if (task === "worker" || task === "workers") {
  for (let i = 0; i < (task === "worker" ? 1 : 12); i++) {
    new Worker(new URL(import.meta.url), { argv: [directory, "profile"] });
  }
} else {
  const found = answer();
  // After what the cache does at the end: its listener was there first.
  process.on("exit", () => console.log(JSON.stringify({ ...found, started })));
  if (task === "exit") process.exit();
  if (task === "remove") rmSync(directory, { recursive: true });
}
