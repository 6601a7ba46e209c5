// Jest and Vitest run programs with globals and realms of their own: the same program passes its tests in each of them.

import { assertEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ROOT, thisRuntime } from "./_tools.ts";

const folder = join(ROOT, "tests/runners");
const isHere = /^Node 24/.test(thisRuntime()) && existsSync(join(folder, "node_modules"));
const options = { timeout: 120_000, skip: isHere ? false : "runs on Node 24, by the test task, which installs them" };

/** Arguments of each runner, and the options of Node that it needs. */
const RUNNERS: Record<string, [args: string[], nodeOptions: string]> = {
  "Jest": [["node_modules/jest/bin/jest.js", "--ci", "--env=node"], "--experimental-vm-modules"],
  "Jest with jsdom": [["node_modules/jest/bin/jest.js", "--ci", "--env=jsdom"], "--experimental-vm-modules"],
  "Vitest": [vitest("--pool=forks"), ""],
  "Vitest in a vm context": [vitest("--pool=vmThreads"), ""],
  "Vitest in a vm context with jsdom": [vitest("--pool=vmThreads", "--environment=jsdom"), ""],
};

function vitest(...args: string[]): string[] {
  return ["node_modules/vitest/vitest.mjs", "run", "--reporter=json", ...args];
}

/** Runs a runner; gives how it ended, and how many tests it says have passed. */
function passedIn([args, nodeOptions]: [string[], string]): Promise<[number | null, number, string]> {
  const env = { ...process.env, NODE_OPTIONS: nodeOptions, WASM_CACHE_ENGINE: "host", NODE_TEST_CONTEXT: undefined };
  const child = spawn(process.execPath, args, { cwd: folder, env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => output += text);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      const [, passed] = output.match(/Tests: +(\d+) passed|"numPassedTests":(\d+)/)?.filter(Boolean) ?? [];
      resolve([code, Number(passed ?? 0), code === 0 ? "" : output]);
    });
  });
}

for (const [name, runner] of Object.entries(RUNNERS)) {
  test(`a program passes its tests in ${name}`, options, async () => {
    assertEquals(await passedIn(runner), [0, 2, ""]);
  });
}
