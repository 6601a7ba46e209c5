// A program with a cache of the V8 engine: asks sqlite something and prints what it said and where the module came from.
// Arguments: directory, what to do, secret.

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
};

/** The same answer whichever way the module came. */
function answer(): unknown {
  const code = realModule("sqlite");
  const { module, from, reason } = new ModuleCache(options).resolveSync(code);
  const sql = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000) select sum(i * 3) from n";
  const sections = WebAssembly.Module.customSections(module, "producers").length;
  const surface = [WebAssembly.Module.imports(module), WebAssembly.Module.exports(module), sections];
  return { from, reason, answer: query(module, sql), surface: JSON.stringify(surface) };
}

if (task === "warm") {
  const progress: unknown[] = [];
  await new ModuleCache(options).warm([realModule("sqlite")], { onProgress: (each) => progress.push(each) });
  console.log(JSON.stringify({ progress }));
} else if (task === "worker") {
  new Worker(new URL(import.meta.url), { argv: [directory, "profile"] });
} else {
  console.log(JSON.stringify(answer()));
  if (task === "exit") process.exit();
  if (task === "stay") setTimeout(() => {}, 400);
}
