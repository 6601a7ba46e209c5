// Runs the benchmarks on Deno, Bun and Node, or those whose names are given: `deno task bench memory_hit cold`.

import { packForNpm } from "./pack.ts";
import { chooseConfig, findRuntimes, installBenchModules, installPackages, ROOT, run } from "./tools.ts";

const config = await chooseConfig();
await installPackages();
await installBenchModules();
/** What Node users get is JavaScript: to strip the types of the tree's files takes longer than what is measured. */
const PACKED = ["import", "register", "restart", "small", "v8", "wasmtime"].map((name) => `${name}_bench.ts`);
const wanted = Deno.args;
const files = Array.from(Deno.readDirSync(`${ROOT}/bench`), ({ name }) => name)
  .filter((name) =>
    name.endsWith("_bench.ts") && (wanted.length === 0 || wanted.some((part) => name.startsWith(part)))
  );
const env = {
  BENCH_CONFIG: config,
  BENCH_PACKED: files.some((name) => PACKED.includes(name)) ? `${await packForNpm(config)}/lib/mod.js` : "",
};
for (const file of files.sort()) {
  for (const { command } of await findRuntimes(config)) {
    const { code } = await run([...command, `bench/${file}`], { env });
    if (code !== 0) Deno.exit(code);
  }
}
