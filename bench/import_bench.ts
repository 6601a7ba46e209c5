// What do an import with a cache, `register`, and `register` with a first module add to a script without them?

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
const MODULE = `const code = new Uint8Array(8192);
  code.set([0, 97, 115, 109, 1, 0, 0, 0, 0, 0xf5, 0x3f, 1, 120]);
  new WebAssembly.Module(code);`;
const folder = mkdtempSync(join(ROOT, ".cache-"));

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
try {
  for (const [form, [entries, ending]] of Object.entries(forms)) {
    const from = (name: string) => JSON.stringify(join(entries, `${name}.${ending}`));
    const calls = Object.entries({
      empty: "",
      module: MODULE,
      imported: `import { ModuleCache } from ${from("mod")}; new ModuleCache({ directory: "/tmp/cache" });`,
      registered: `import ${from("register")};`,
      served: `import ${from("register")}; ${MODULE}`,
    }).map(([name, source]) => starting(name, source));
    await medianOfCold(2, calls);
    const [empty, module, imported, registered, served] = await medianOfCold(25, calls) as [number, ...number[]];
    rows.push([form, empty, imported! - empty, registered! - empty, served! - module!]);
  }
} finally {
  rmSync(folder, { recursive: true });
}
printTable("Start", ["form", "empty script, ms", "import, ms", "register, ms", "register and a module, ms"], rows);
