// What does `register` cost a program that has no use for it, what does a factory gain that compiles at each call, and what
// do workers gain?

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { medianOfCold, printTable, ROOT, runtime } from "./_tools.ts";

// Node users get JavaScript, as JSR's npm packages have it: the task packs it. Deno and Bun take the TypeScript.
const register = runtime.startsWith("Node")
  ? join(dirname(process.env.BENCH_PACKED ?? ""), "register.js")
  : join(ROOT, "register.ts");
/** Deno finds the packages as Node does when it has no config. */
const [option, ...before] = runtime.startsWith("Deno")
  ? ["--preload", "run", "-A", "--no-lock", "--no-config", "--node-modules-dir=manual"]
  : [runtime.startsWith("Bun") ? "--preload" : "--import"];
const folder = mkdtempSync(join(ROOT, ".cache-"));

/** Ten modules of 3 KB, compiled in both ways: too small to be looked up. */
const SMALL = `
  const codes = Array.from({ length: 10 }, (_, i) =>
    Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 0x83, 0x18, 1, i + 97, ...new Uint8Array(3073)]));
  for (const code of codes) new WebAssembly.Module(code);
  await Promise.all(codes.map((code) => WebAssembly.instantiate(code)));
`;

/** Prints the time of the second and later calls of a factory: the median of eleven. */
const again = (setUp: string, call: string) => `
  ${setUp}
  const times = [];
  for (let i = 0; i < 12; i++) {
    const start = performance.now();
    await ${call};
    times.push(performance.now() - start);
  }
  console.log(times.slice(1).sort((a, b) => a - b)[5]);
`;

const packages = join(ROOT, "tests/packages/node_modules");
const FACTORIES: Record<string, string> = {
  "sqlite-wasm, sqlite3InitModule()": again(
    `import init from "${packages}/@sqlite.org/sqlite-wasm/dist/node.mjs";`,
    "init({ print() {}, printErr() {} })",
  ),
  "quickjs-emscripten, newQuickJSWASMModule()": again(
    `import { newQuickJSWASMModule } from "${packages}/quickjs-emscripten/dist/index.mjs";`,
    "newQuickJSWASMModule()",
  ),
  "sql.js, a new initSqlJs()": again(
    `import { createRequire } from "node:module";
     const require = createRequire("${packages}/");
     const path = require.resolve("sql.js");`,
    "(delete require.cache[path], require(path)())",
  ),
};

/** Prints the time from the start of four workers until each has compiled a module that the program has. */
const workersOf = (path: string, kind: string) => `
  import { readFileSync } from "node:fs";
  import { Worker as NodeWorker } from "node:worker_threads";
  new WebAssembly.Module(readFileSync(${JSON.stringify(join(ROOT, path))}));
  const start = performance.now();
  const workers = await Promise.all(Array.from({ length: 4 }, async () => {
    const url = new URL("./worker.mjs", import.meta.url);
    const worker = ${kind === "web" ? 'new Worker(url, { type: "module" })' : "new NodeWorker(url)"};
    await new Promise((resolve, reject) => {
      if (${kind === "web"}) [worker.onmessage, worker.onerror] = [resolve, reject];
      else worker.once("message", resolve).once("error", reject);
    });
    return worker;
  }));
  console.log(performance.now() - start);
  for (const worker of workers) await worker.terminate();
`;

/** Node's workers inherit what is preloaded. */
const WORKER = (path: string) => `
  import { parentPort } from "node:worker_threads";
  import { readFileSync } from "node:fs";
  if (process.env.BENCH_REGISTER) await import(process.env.BENCH_REGISTER);
  new WebAssembly.Module(readFileSync(${JSON.stringify(join(ROOT, path))}));
  parentPort ? parentPort.postMessage(1) : postMessage(1);
`;

/** Runs a script in a process of its own; gives its time, and what it printed. */
function run(path: string, isRegistered: boolean): { ms: number; printed: string } {
  const args = [...before, ...isRegistered ? [option!, register] : [], path];
  const start = performance.now();
  const env = { ...process.env, WASM_CACHE_ENGINE: "host", BENCH_REGISTER: isRegistered ? register : "" };
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", env });
  if (status !== 0) throw new Error(stderr);
  return { ms: performance.now() - start, printed: stdout };
}

function scriptOf(name: string, text: string): string {
  const path = join(folder, `${name.replace(/\W+/g, "_")}.mjs`);
  writeFileSync(path, text);
  return path;
}

try {
  const scripts = { "an empty script": "", "ten modules of 3 KB": SMALL };
  const rows = [];
  for (const [name, text] of Object.entries(scripts)) {
    const path = scriptOf(name, text);
    const calls = [false, true].map((isRegistered) => () => Promise.resolve(run(path, isRegistered).ms));
    await medianOfCold(2, calls);
    const [without, withIt] = await medianOfCold(25, calls);
    rows.push([name, without!, withIt!, withIt! - without!]);
  }
  printTable("Whole processes", ["script", "without, ms", "with register, ms", "difference, ms"], rows);
  const gains = [];
  for (const [name, text] of Object.entries(FACTORIES)) {
    const path = scriptOf(name, text);
    const calls = [false, true].map((isRegistered) => () => Promise.resolve(Number(run(path, isRegistered).printed)));
    const [without, withIt] = await medianOfCold(7, calls);
    gains.push([name, without!, withIt!, without! / withIt!]);
  }
  const shared = [];
  const esbuild = "node_modules/esbuild-wasm/esbuild.wasm";
  scriptOf("worker", WORKER(esbuild));
  for (const kind of runtime.startsWith("Node") ? ["node"] : ["node", "web"]) {
    const path = scriptOf(`workers of ${kind}`, workersOf(esbuild, kind));
    const calls = [false, true].map((isRegistered) => () => Promise.resolve(Number(run(path, isRegistered).printed)));
    const [without, withIt] = await medianOfCold(9, calls);
    shared.push([`${kind} workers, esbuild 14 MB`, without!, withIt!, without! / withIt!]);
  }
  printTable("Four workers until each has a module that the program has", [
    "workers",
    "without, ms",
    "with register, ms",
    "gain",
  ], shared);
  printTable("A factory from its second call on", ["call", "without, ms", "with register, ms", "gain"], gains);
} finally {
  rmSync(folder, { recursive: true });
}
