// Processes of several runtimes on one directory.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { inDirectory, ROOT, runScript, runtimes } from "./_tools.ts";

/** Commands of the runtimes whose names begin so; `undefined` where the tests were not started by the task. */
function commands(...names: string[]): string[][] | undefined {
  const all = Object.entries(runtimes());
  const found = names.map((name) => all.find(([known]) => known.startsWith(name))?.[1]);
  return found.every((command) => command !== undefined) ? found : undefined;
}

/** Starts processes on one cold directory at once; gives how often they compiled and where their modules came from. */
async function compileTogether(all: string[][]): Promise<{ compiles: number; from: string[] }> {
  return await inDirectory(async (directory) => {
    const log = `${directory}/compiles.log`;
    const script = `${ROOT}/tests/_slow_resolve.ts`;
    const ended = await Promise.all(
      all.map((command) => runScript(command, script, [`${directory}/cache`, log, "hello"])),
    );
    const results = ended.map(({ code, stdout, stderr }) => {
      assertEquals([code, stderr.replace(/^.*(Check|Download).*$/gm, "").trim()], [0, ""]);
      return JSON.parse(stdout) as { text: string; from: string };
    });
    for (const { text } of results) assertStrictEquals(text, "hello");
    return {
      compiles: readFileSync(log, "utf8").trim().split("\n").length,
      from: results.map(({ from }) => from).sort(),
    };
  });
}

const twoAndTwo = commands("Deno", "Deno", "Bun", "Bun");
const withNode = commands("Deno", "Bun", "Node 26", "Node 26");
const options = (all: unknown) => ({
  timeout: 60_000,
  skip: all ? false : "needs the test task, which knows the runtimes",
});

test("two Deno and two Bun processes on one cold directory compile once", options(twoAndTwo), async () => {
  assertEquals(await compileTogether(twoAndTwo!), { compiles: 1, from: ["compiled", "disk", "disk", "disk"] });
});

test("Node 26 takes the same lock as Deno and Bun", options(withNode), async () => {
  assertEquals(await compileTogether(withNode!), { compiles: 1, from: ["compiled", "disk", "disk", "disk"] });
});

const older = commands("Node 22", "Node 22", "Node 24", "Node 24");
const olderOptions = process.platform === "linux" ? options(older) : { skip: "has no lock but on Linux" };

test("Node 22 and 24 take a lock that both know", olderOptions, async () => {
  assertEquals(await compileTogether(older!), { compiles: 1, from: ["compiled", "disk", "disk", "disk"] });
});

const deno = commands("Deno")?.[0];

test("Deno neither prompts nor misses with the directory's own permissions, behind a link", options(deno), async () => {
  await inDirectory(async (directory) => {
    mkdirSync(`${directory}/real`);
    symlinkSync(`${directory}/real`, `${directory}/link`, "dir");
    const path = `${directory}/link/cache`;
    const permitted = deno!.map((part) => part === "-A" ? `--allow-read=${path}` : part);
    const command = [...permitted, `--allow-write=${path}`, "--no-prompt"];
    for (const from of ["compiled", "disk"]) {
      const { code, stdout, stderr } = await runScript(command, `${ROOT}/tests/_permitted.ts`, [path]);
      assertEquals([code, JSON.parse(stdout)], [0, { from, disk: "read-write" }], stderr);
    }
  });
});

const everyone = Object.values(runtimes());

test("every runtime reads what another wrote", options(everyone.length > 1), async () => {
  await inDirectory(async (directory) => {
    const script = `${ROOT}/tests/_slow_resolve.ts`;
    for (const [i, command] of everyone.entries()) {
      const { code, stdout, stderr } = await runScript(command, script, [directory, `${directory}/log`, "hello"]);
      assertEquals([code, stderr], [0, stderr]);
      assertEquals(JSON.parse(stdout), { text: "hello", from: i === 0 ? "compiled" : "disk" });
    }
  });
});
