// Every order of the steps of two and three lookups, and a death at every step: always the right module, one compile,
// no lock left, nothing but whole entries.

import { assertEquals, assertGreater, assertStrictEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { decodeHeader } from "../src/entry.ts";
import { explore, type Scenario, type World } from "./_model.ts";
import { text } from "./_tools.ts";

/** What holds at the end of every schedule. */
function checkWorld(world: World): void {
  for (const { plan, result, error, isDead } of world.tasks) {
    if (isDead) continue;
    if (error) throw error;
    assertStrictEquals(result!.module.text, plan.code);
  }
  assertStrictEquals(world.files.isUnlocked, true, "a lock is left");
  for (const [path, content] of world.files.content) {
    if (!/\/[0-9a-f]{62}$/.test(path)) continue;
    assertStrictEquals(typeof decodeHeader(content, content.length), "object", "an entry is not whole");
    assertStrictEquals(text(content.subarray(168)).startsWith("artifact of "), true);
  }
  if (world.deaths > 0) return;
  const left = [...world.files.content.keys()].filter((path) => path.includes("/tmp/"));
  assertEquals(left, [], "a temporary file is left");
  for (const { warnings } of world.processes.values()) assertEquals(warnings, []);
}

function compilesIn(world: World): number {
  return [...world.processes.values()].reduce((sum, { engine }) => sum + engine.compiles, 0);
}

/** Explores a scenario; where nobody dies each way through it compiles from `least` to `most` times. */
function explored(
  name: string,
  scenario: Scenario,
  { least = 1, most = 1, isLong = false } = {},
): void {
  const skip = isLong && !process.env.TEST_LONG && "takes minutes: set TEST_LONG=1";
  test(name, { timeout: 600_000, skip }, async () => {
    const counts = new Set<number>();
    const { states, schedules } = await explore(scenario, (world) => {
      checkWorld(world);
      if (world.deaths === 0) counts.add(compilesIn(world));
    });
    console.log(`${name}: ${states} states, ${schedules} schedules`);
    assertEquals([Math.min(...counts), Math.max(...counts)], [least, most]);
    assertGreater(schedules, 1n);
  });
}

const a = (process: number, isSync = false) => ({ process, code: "a", isSync });
// Its key begins with the same two digits as that of "a": one lock for both.
const sameStripe = (process: number) => ({ process, code: "b56" });

explored("model: two processes, one code", { tasks: [a(1), a(2)] });
explored("model: two processes, one code, one dies at any step", { tasks: [a(1), a(2)], deaths: 1 });
explored("model: two processes, one code, both may die", { tasks: [a(1), a(2)], deaths: 2 });
explored("model: one process, one code twice", { tasks: [a(1), a(1)] });
explored("model: one process, a synchronous lookup beside an asynchronous one", { tasks: [a(1), a(1, true)] }, {
  most: 2,
});
explored("model: two processes, one of them synchronous", { tasks: [a(1), a(2, true)] }, { most: 2 });
explored("model: two codes of one stripe", { tasks: [a(1), sameStripe(2)] }, { least: 2, most: 2 });
explored("model: three processes, one code", { tasks: [a(1), a(2), a(3)] });
explored("model: three processes, one dies at any step", { tasks: [a(1), a(2), a(3)], deaths: 1 }, { isLong: true });
