// All that CI checks: format, lint, types, docs, a publish as it would be, then the tests by the README's own command.

import { chooseConfig, findEntries, installTestPackages, run } from "./tools.ts";

const before = await changes();
const config = await chooseConfig();
await installTestPackages();
const deno = Deno.execPath();
const configured = ["--config", config, "--no-lock"];
const entries = await findEntries();
const checks: Record<string, string[]> = {
  "format": ["fmt", "--check", "--config", config],
  "lint": ["lint", "--config", config],
  "types": ["check", ...configured, ...entries, "tests/**/*.ts", "bench", "dev", "examples"],
  "types of the examples": ["check", ...configured, "--doc", "README.md", "docs", ...entries, "src"],
  "docs": ["run", "-A", ...configured, "dev/doc_lint.ts"],
  "publish": ["publish", "--dry-run", "--allow-dirty", ...configured],
};
for (const [name, args] of Object.entries(checks)) {
  const { code, output } = await run([deno, ...args], { capture: true });
  console.log(`${code === 0 ? "ok" : "FAILED"}  ${name}`);
  if (code !== 0) {
    console.log(output);
    Deno.exit(code);
  }
}
const { code } = await run([deno, "task", "test"]);
const after = await changes();
if (after !== before) console.log(`FAILED  nothing is left in the tree\n${after}`);
Deno.exit(after === before ? code : 1);

/** What git sees in the tree; nothing where there is no git. */
async function changes(): Promise<string> {
  return (await run(["git", "status", "--porcelain"], { capture: true }).catch(() => ({ output: "" }))).output;
}
