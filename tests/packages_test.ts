// Programs that use real packages do with `register` what they do without it, and what they compile comes through the
// cache. Each is a process of its own; two run at a time.

import { assert, assertEquals } from "@std/assert";
import { v8Engine } from "@wasm/module-cache/v8";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import {
  largest,
  type Package,
  PACKAGES,
  quiet,
  type Ran,
  registered,
  runProgram,
  versionOf,
} from "./packages/packages.ts";
import { runtimes, thisRuntime } from "./_tools.ts";

const isLong = process.env.TEST_LONG === "1";
const keepsMachineCode = v8Engine.available().available;
const runtime = thisRuntime();
const command = runtimes()[runtime]!;

/** The runs of a program, one after another. */
interface Runs {
  readonly plain: Ran;
  readonly cold: Ran;
  /** Not of a slow program in the short form. */
  readonly warm?: Ran;
  /** Once the artifacts are made. */
  readonly late?: Ran;
  /** With the engine that keeps no machine code, in a directory that it has not used yet, and again. */
  readonly host?: readonly [cold: Ran, warm: Ran];
}

/** One for all, so that V8 is found to do what is needed only once; no two programs compile the same. */
let directory = "";
let begun: Promise<Runs>[] = [];

after(async () => {
  if (!directory) return;
  if (isLong) await quiet(directory);
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  } catch (error) {
    // Windows removes no folder in which a process stands; those that make artifacts end some time later.
    if (process.platform !== "win32") throw error;
  }
});

/** Begins the runs of all programs. */
function begin(): Promise<Runs>[] {
  directory = mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
  const slot = slots(2);
  const all = PACKAGES.map((each) => slot(() => isLeftOut(each) ? neverRun() : runAll(each)));
  // Each is awaited by its own test only.
  void Promise.allSettled(all);
  return all;
}

/** What starts in seconds is tried on one Node in the short form. */
function isLeftOut({ isSlow }: Package): boolean {
  return !isLong && isSlow === true && /^Node (22|26)/.test(runtime);
}

function neverRun(): Promise<never> {
  return Promise.reject(new Error("It is left out here"));
}

/** Runs bodies, so many at a time, in the order they were given. */
function slots(free: number): <T>(body: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  return async (body) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await body();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

async function runAll(each: Package): Promise<Runs> {
  versionOf(each);
  const plainly = () => runProgram(each, { runtime, command });
  const through = (engine?: string) => runProgram(each, { runtime, command, ...registered(directory, engine) });
  const runs = { plain: await plainly(), cold: await through() };
  if (each.isSlow && !isLong) return runs;
  const warm = await through();
  if (!isLong || !keepsMachineCode) return { ...runs, warm };
  await quiet(directory);
  return { ...runs, warm, late: await through(), host: [await through("host"), await through("host")] };
}

/** Fails where a run with the cache is not as the one without it. */
function assertSame(each: Package, plain: Ran, run: Ran, from: readonly string[]): void {
  assertEquals([run.code, run.stdout], [0, plain.stdout], run.stderr);
  assertEquals(run.complaints, []);
  assert(run.lookups.length >= each.compiles, run.stderr);
  const found = largest(run)!.from;
  assert(from.includes(found), `the largest module came from ${found}, not ${from.join(" or ")}`);
}

for (const [index, each] of PACKAGES.entries()) {
  test(`${each.name} does the same through the cache`, {
    timeout: 120_000 * (isLong ? 5 : 1),
    skip: isLeftOut(each) && "starts in seconds: set TEST_LONG=1",
  }, async () => {
    if (begun.length === 0) begun = begin();
    const { plain, cold, warm, late, host } = await begun[index]!;
    assertEquals(plain.code, 0, plain.stderr);
    assert(plain.stdout.length > 0);
    assertSame(each, plain, cold, ["compiled"]);
    // Machine code is made after a process has ended.
    if (warm) assertSame(each, plain, warm, keepsMachineCode ? ["compiled", "disk"] : ["disk"]);
    if (late) assertSame(each, plain, late, ["compiled", "disk"]);
    if (host) assertSame(each, plain, host[0], ["compiled"]);
    if (host) assertSame(each, plain, host[1], ["disk"]);
  });
}
