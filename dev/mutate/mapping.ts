// Which tests concern a source file: the one of its name, its folder's, and those that ask the same from further away.
// Cheap ones come first; the model checker takes a minute for each mutant, and is left out.

import { run } from "../tools.ts";

/** Tests elsewhere that concern a file, by how its path begins. */
const ELSEWHERE: Record<string, string[]> = {
  "src/artifacts": ["obtain", "cache", "remote/remote"],
  "src/calls/": ["cache", "load/loader", "register/register"],
  "src/context": ["options", "cache", "security"],
  "src/counters": ["stats", "cache"],
  "src/disk/": ["secret", "cache", "security", "faults/lost_disk", "faults/failed_call"],
  "src/effect": ["cache"],
  "src/engine/": ["cache", "steps/wat"],
  "src/errors": ["obtain", "options", "cache"],
  "src/load/": [],
  "src/lookup": ["cache", "get"],
  "src/memory/": ["cache"],
  "src/obtain": ["cache", "secret", "remote/remote", "faults/failed_call"],
  "src/publish": ["obtain", "cache", "secret", "faults/failed_call"],
  "src/register/": ["default_directory"],
  "src/share": ["remote/remote"],
  "src/urls": ["load/loader", "remote/http"],
  "src/v8/": [],
  "src/warnings": ["cache", "context", "remote/remote"],
};

/** Test files that concern a source file, in the order in which they are run. */
export async function testsOf(path: string): Promise<string[]> {
  const { output } = await run(["git", "ls-files", "tests"], { capture: true });
  const all = output.split("\n").filter((path) => path.endsWith("_test.ts"));
  const mirror = path.replace("src/", "tests/").replace(".ts", "_test.ts");
  const folder = mirror.replace(/[^/]*$/, "");
  const beside = folder === "tests/" ? [] : all.filter((path) => path.startsWith(folder));
  const [, elsewhere = []] = Object.entries(ELSEWHERE).find(([start]) => path.startsWith(start)) ?? [];
  const wanted = [mirror, ...beside, ...elsewhere.map((name) => `tests/${name}_test.ts`)];
  return [...new Set(wanted)].filter((path) => all.includes(path));
}
