// What do an import with a cache, a first lookup, `register`, and `register` with a first module add to a script without
// them? Whole processes; the entry looked up was written by an earlier one.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { medianOfCold, printTable, ROOT, timeOf } from "./_tools.ts";

const isDeno = "Deno" in globalThis;
const isNode = !isDeno && !("Bun" in globalThis);
const command: string[] = isDeno
  ? [process.execPath, "run", "-A", "--no-lock", "--config", process.env.BENCH_CONFIG ?? "deno.json"]
  : [process.execPath];

/** Where the entries lie, and how their names end: packed by the task, where it ran. */
const forms: Record<string, [folder: string, ending: string]> = {
  ...(isNode ? {} : { source: [ROOT, "ts"] }),
  ...(isDeno || !process.env.BENCH_PACKED ? {} : {
    npm: [dirname(process.env.BENCH_PACKED), "js"],
    "JSR's npm form": [join(ROOT, ".cache/packed/package"), "js"],
  }),
};
const sqlite = "node_modules/@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm";
/** A module of one custom section, long enough for `register`. */
const MODULE = `const code = new Uint8Array(128 * 1024);
  code.set([0, 97, 115, 109, 1, 0, 0, 0, 0, 0xf4, 0xff, 0x07, 1, 120]);
  new WebAssembly.Module(code);`;
const folder = mkdtempSync(join(ROOT, ".cache-"));
const SQLITE = `import { readFileSync } from "node:fs";
  const code = new Uint8Array(readFileSync(${JSON.stringify(join(ROOT, sqlite))}));`;

function cacheOf(url: string): string {
  return `import { ModuleCache } from ${url};
    const cache = new ModuleCache({ directory: ${JSON.stringify(join(folder, "cache"))} });`;
}

/** A script to start, as a call. */
function starting(name: string, source: string): () => Promise<number> {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(path, source);
  const [program = "", ...args] = command;
  return () =>
    timeOf(() => {
      const { status, stderr } = spawnSync(program, [...args, path], { cwd: ROOT, encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
    });
}

const rows: (string | number)[][] = [];
const lookups: (string | number)[][] = [];
try {
  for (const [form, [entries, ending]] of Object.entries(forms)) {
    const from = (name: string) => JSON.stringify(join(entries, `${name}.${ending}`));
    const calls = Object.entries({
      empty: "",
      module: MODULE,
      read: SQLITE,
      compiled: `${SQLITE} await WebAssembly.compile(code);`,
      imported: cacheOf(from("mod")),
      readToo: `${cacheOf(from("mod"))} ${SQLITE}`,
      lookedUp: `${cacheOf(from("mod"))} ${SQLITE} await cache.resolve(code);`,
      registered: `import ${from("register")};`,
      served: `import ${from("register")}; ${MODULE}`,
    }).map(([name, source]) => starting(name, source));
    await medianOfCold(2, calls);
    const [empty, module, read, compiled, imported, readToo, lookedUp, registered, served] = await medianOfCold(
      25,
      calls,
    ) as [number, ...number[]];
    const [plain, first] = [compiled! - read!, lookedUp! - readToo!];
    rows.push([form, empty, imported! - empty, registered! - empty, served! - module!]);
    lookups.push([form, plain, first, first / plain, (lookedUp! - read!) / plain]);
  }
} finally {
  rmSync(folder, { recursive: true });
}
printTable("Start", ["form", "empty script, ms", "import, ms", "register, ms", "register and a module, ms"], rows);
printTable(
  "The first lookup of a process, sqlite, with its entry there",
  ["form", "plain compile, ms", "first lookup, ms", "of plain", "import included, of plain"],
  lookups,
);
