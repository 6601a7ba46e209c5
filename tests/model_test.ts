// Every order of the steps of two and three lookups, and a death at every step: always the right module, one compile,
// no lock left, nothing but whole entries.

import { assertEquals, assertGreater, assertMatch, assertStrictEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { explore, type Scenario, type World } from "./_model.ts";
import { entryBytes, isInFull, payloadIn, text } from "./_tools.ts";

/** What holds at the end of every schedule. */
function checkWorld(world: World): void {
  for (const { plan, result, error, isDead } of world.tasks) {
    if (isDead) continue;
    if (error) throw error;
    assertStrictEquals(result?.module.text, plan.code);
  }
  assertStrictEquals(world.files.isUnlocked, true, "a lock is left");
  for (const entry of entriesOf(world)) {
    assertMatch(text(payloadIn(entry)), /^(artifact of )?(a|g4|old\d)$/);
  }
  if (world.deaths > 0) return;
  const left = [...world.files.content.keys()].filter((path) => path.includes("/tmp/"));
  assertEquals(left, [], "a temporary file is left");
  for (const { warnings } of world.processes.values()) assertEquals(warnings, []);
}

function entriesOf({ files }: World): Uint8Array<ArrayBuffer>[] {
  return [...files.content].filter(([path]) => /\/[0-9a-f]{62}$/.test(path)).map(([, content]) => content);
}

function compilesIn(world: World): number {
  return [...world.processes.values()].reduce((sum, { engine }) => sum + engine.compiles, 0);
}

interface Expected {
  /** Fewest compiles where nobody dies. */
  readonly least?: number;
  /** Most compiles where nobody dies. */
  readonly most?: number;
  /** How many entries there may be at the end. */
  readonly entries?: readonly number[];
  /** `"once"`: takes seconds, and what it runs is the same everywhere: on Bun only, which is fastest. `"long"`: takes minutes. */
  readonly cost?: "once" | "long";
}

function whyNot(cost: Expected["cost"]): string | false {
  if (cost === undefined) return false;
  if (cost === "long") return process.env.TEST_LONG ? false : "takes minutes: set TEST_LONG=1";
  return isInFull ? false : "explored on Bun: what it runs is the same everywhere";
}

/** Explores a scenario; where nobody dies each way through it compiles from `least` to `most` times. */
function explored(name: string, scenario: Scenario, { least = 1, most = 1, entries, cost }: Expected = {}): void {
  test(name, { timeout: 900_000, skip: whyNot(cost) }, async () => {
    const counts = new Set<number>();
    const left = new Set<number>();
    const { states, schedules } = await explore(scenario, (world) => {
      checkWorld(world);
      if (world.deaths === 0) counts.add(compilesIn(world));
      left.add(entriesOf(world).length);
    });
    console.log(`${name}: ${states} states, ${schedules} schedules`);
    assertEquals([Math.min(...counts), Math.max(...counts)], [least, most]);
    if (entries) assertEquals([...left].sort(), entries);
    assertGreater(schedules, 1n);
  });
}

const a = (process: number, isSync = false) => ({ process, code: "a", isSync });
// Its key begins with the same two digits as that of "a": one lock for both.
const sameStripe = (process: number) => ({ process, code: "g4" });

explored("model: two processes, one code", { tasks: [a(1), a(2)] });
explored("model: two processes, one code, one dies at any step", { tasks: [a(1), a(2)], deaths: 1 }, { cost: "once" });
explored("model: two processes, one code, both may die", { tasks: [a(1), a(2)], deaths: 2 }, { cost: "once" });
explored("model: one process, one code twice", { tasks: [a(1), a(1)] }, { cost: "once" });
explored("model: one process, a synchronous lookup beside an asynchronous one", { tasks: [a(1), a(1, true)] }, {
  most: 2,
});
explored("model: two processes, one of them synchronous", { tasks: [a(1), a(2, true)] }, { most: 2, cost: "once" });
explored("model: two codes of one stripe", { tasks: [a(1), sameStripe(2)] }, { least: 2, most: 2 });
explored("model: three processes, one code", { tasks: [a(1), a(2), a(3)] }, { cost: "once" });
explored("model: three processes, one dies at any step", { tasks: [a(1), a(2), a(3)], deaths: 1 }, { cost: "long" });

const prune = (process: number) => ({ process });
const ENTRY_BYTES = entryBytes("artifact of old1");
const old = (count: number) => Array.from({ length: count }, (_, i) => `old${i}`);

const limit = { maxDiskBytes: 5 * ENTRY_BYTES };
const isLater = true;
const keepsCode = true;

explored("model: a reader beside a prune of what it reads", { tasks: [a(1), prune(2)], before: ["a"], isLater }, {
  least: 0,
  entries: [0, 1],
});
explored("model: a synchronous reader beside a prune", { tasks: [a(1, true), prune(2)], before: ["a"], isLater }, {
  least: 0,
  entries: [0, 1],
});
explored("model: a writer beside a prune", { tasks: [a(1), prune(2)], before: ["old0"], isLater }, {
  entries: [1],
  cost: "once",
});
explored("model: a writer beside a prune, one dies at any step", {
  tasks: [a(1), prune(2)],
  before: ["old0"],
  isLater,
  deaths: 1,
}, { cost: "long" });
explored("model: a writer beside the prune that removes its empty folder", { tasks: [a(1), prune(2)], before: [] }, {
  entries: [1],
});
explored("model: two prunes remove no more than one", { tasks: [prune(1), prune(2)], before: old(6), ...limit }, {
  least: 0,
  most: 0,
  entries: [4],
});
explored("model: two prunes, one dies at any step", {
  tasks: [prune(1), prune(2)],
  before: old(6),
  ...limit,
  deaths: 1,
}, {
  least: 0,
  most: 0,
  entries: [4],
  cost: "once",
});
explored("model: two writers that need room", { tasks: [a(1), sameStripe(2)], before: old(5), ...limit }, {
  least: 2,
  most: 2,
  entries: [3, 4, 5],
  cost: "once",
});
explored("model: two writers of copies", { tasks: [a(1), a(2)], keepsCode }, {
  least: 2,
  most: 2,
  entries: [1],
  cost: "once",
});
explored("model: two writers of copies, one dies at any step", { tasks: [a(1), a(2)], keepsCode, deaths: 1 }, {
  least: 2,
  most: 2,
  cost: "once",
});
explored("model: a writer of a copy beside a prune", { tasks: [a(1), prune(2)], before: ["a"], keepsCode, isLater }, {
  entries: [0, 1],
});
explored("model: a reader, a writer and a prune", { tasks: [a(1), a(2), prune(3)], before: ["a"], isLater }, {
  least: 0,
  cost: "long",
});
