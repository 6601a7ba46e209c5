/**
 * The command line: shows, warms, checks, prunes and empties the directory of a cache, and tells what it gains here.
 *
 * ```sh
 * deno run -A jsr:@wasm/module-cache/cli doctor
 * ```
 *
 * @example From a program of your own
 * ```ts
 * import { run } from "@wasm/module-cache/cli";
 *
 * const code = await run(["dir"]);
 * console.log(code); // 0
 * ```
 *
 * @module
 */

import { isMain, runMain } from "./src/cli/program.ts";
import { run } from "./src/cli/run.ts";

export { run, type RunOptions } from "./src/cli/run.ts";
export type { Screen } from "./src/cli/screen.ts";

if (isMain(import.meta)) void runMain(run);
