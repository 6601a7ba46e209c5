// The process of the command line: whether it is one, its arguments, Ctrl-C, its exit code. Loaded by that entry alone.

import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { systemCode } from "../errors.ts";
import type { run } from "./run.ts";
import { screenOf } from "./screen.ts";

/** How long a command may take to end after Ctrl-C, ms. What it writes is whole or not there. */
const END_MS = 2000;

/** Exit code of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Whether a module is what the process was started with. */
export function isMain({ main, url }: { main?: boolean; url: string }): boolean {
  // Node before 24.2 does not say.
  if (main !== undefined) return main;
  try {
    return realpathSync(process.argv[1]!) === fileURLToPath(url);
  } catch {
    return false;
  }
}

/** Runs a command for this process, and sets its exit code. */
export async function runMain(main: typeof run): Promise<void> {
  const controller = new AbortController();
  process.once("SIGINT", () => {
    controller.abort();
    setTimeout(() => process.exit(INTERRUPTED), END_MS).unref();
  });
  // Whoever reads the output may have seen enough, as `head` does.
  process.stdout.on("error", (error) => process.exit(systemCode(error) === "EPIPE" ? 0 : 1));
  const { signal } = controller;
  const code = await main(process.argv.slice(2), { screen: screenOf(process), signal });
  process.exitCode = signal.aborted ? INTERRUPTED : code;
}
