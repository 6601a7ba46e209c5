// What do importing mod.ts and making a cache add to an empty script?

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { medianOfCold, printTable, ROOT, timeOf } from "./_tools.ts";

const isDeno = "Deno" in globalThis;
const isNode = !isDeno && !("Bun" in globalThis);
const command: string[] = isDeno
  ? [process.execPath, "run", "-A", "--no-lock", "--config", process.env.BENCH_CONFIG ?? "deno.json"]
  : [process.execPath];
// Node users get JavaScript, as JSR's npm packages have it: the task packs it. Deno and Bun take the TypeScript.
const [mod, ending] = isNode ? [process.env.BENCH_PACKED ?? "", "mjs"] : [join(ROOT, "mod.ts"), "ts"];
const directory = mkdtempSync(join(ROOT, ".cache-"));
try {
  const scripts = {
    empty: "",
    import: `import { ModuleCache } from ${JSON.stringify(mod)}; new ModuleCache({ directory: "/tmp/cache" });`,
  };
  const calls = Object.entries(scripts).map(([name, source]) => {
    const path = join(directory, `${name}.${ending}`);
    writeFileSync(path, source);
    const [program = "", ...args] = command;
    return () =>
      timeOf(() => {
        const { status, stderr } = spawnSync(program, [...args, path], { cwd: ROOT, encoding: "utf8" });
        if (status !== 0) throw new Error(stderr);
      });
  });
  await medianOfCold(2, calls);
  const [empty, imported] = await medianOfCold(25, calls);
  printTable("Start", ["empty script, ms", "with a cache, ms", "difference, ms"], [[
    empty!,
    imported!,
    imported! - empty!,
  ]]);
} finally {
  rmSync(directory, { recursive: true });
}
