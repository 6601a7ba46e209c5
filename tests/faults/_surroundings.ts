// Processes of their own whose system grants them less: what this machine can take away, and how.

import { assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT, runScript, runtimes, thisRuntime } from "../_tools.ts";
import type { Job, Report } from "./_child.ts";

/** This runtime's command, where the task says it. */
const command = process.env.TEST_RUNTIMES ? runtimes()[thisRuntime()] : undefined;
/** Whether this user may do all. */
export const isSuperuser = process.platform === "linux" && process.getuid!() === 0;

/** Options of a test that not every machine can run. */
export function skipUnless(can: unknown, reason: string): { timeout: number; skip: string | false } {
  return { timeout: 120_000, skip: can ? false : reason };
}

/** Whether a file system can be made. */
export function canMount(): boolean {
  if (!isSuperuser) return false;
  return inTemporary((path) => {
    const isMounted = spawnSync("mount", ["-t", "tmpfs", "none", path]).status === 0;
    if (isMounted) spawnSync("umount", [path]);
    return isMounted;
  });
}

function inTemporary<T>(body: (path: string) => T): T {
  const path = mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
  try {
    return body(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Has a process of its own look codes up, behind a command that takes something from it. */
export async function look(before: readonly string[], job: Job): Promise<Report> {
  const args = [JSON.stringify(job)];
  const { code, stdout, stderr } = await runScript([...before, ...command!], `${ROOT}/tests/faults/_child.ts`, args);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

/** A command that runs another within a limit of the shell. */
export function limited(limit: string): string[] {
  return ["sh", "-c", `ulimit ${limit}; exec "$@"`, "sh"];
}

/** A user without rights. */
export const NOBODY = 65534;
/** A command that runs another as that user. */
export const asNobody = isSuperuser ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] : [];

/** Whether a user without rights may run this runtime and read this tree. */
export function canBeNobody(): boolean {
  if (process.platform !== "linux" || !command) return false;
  const [program = "", ...more] = [...asNobody, "sh", "-c", `test -r "$1/mod.ts" && "$2" --version`, "sh", ROOT];
  return spawnSync(program, [...more, command[0]!]).status === 0;
}

/** Whether a process of this runtime can be started by a shell. */
export const hasShell = process.platform === "linux" && command;
