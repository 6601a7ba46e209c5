// Calls of the file system in asynchronous runs: at once while they are quick, by other threads otherwise.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import { perform, runAsync } from "../../src/effect.ts";
import { paced } from "../../src/platform/paced.ts";

/** How a call is made that takes so long. */
async function wayOf(ms: number, bytes?: number): Promise<string> {
  const end = performance.now() + ms;
  const sync = () => {
    while (performance.now() < end);
    return "at once";
  };
  return await runAsync(perform(paced("call", sync, () => Promise.resolve("later"), bytes)));
}

/** Waits until nothing that was called before counts. */
const rested = () => new Promise((resolve) => setTimeout(resolve, 2500));

test("quick calls are made at once, until they have taken their share", { timeout: 60_000 }, async () => {
  await rested();
  assertEquals([await wayOf(0), await wayOf(1)], ["at once", "at once"]);
  assertEquals(await wayOf(0, 1024 * 1024), "later");
  const ways: string[] = [];
  while (ways.at(-1) !== "later" && ways.length < 100) ways.push(await wayOf(1));
  assertEquals([ways.at(-1), ways.length < 10], ["later", true]);
});

test("after a slow call none is made at once, for longer than it took", { timeout: 60_000 }, async () => {
  await rested();
  assertEquals(await wayOf(100), "at once");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(await wayOf(0), "later");
  await rested();
  assertEquals(await wayOf(0), "at once");
});

test("what a call throws is thrown", async () => {
  const fail = () => {
    throw new RangeError("no");
  };
  const effect = paced("call", fail, async () => await Promise.reject(new RangeError("no")));
  assertThrows(effect.sync, RangeError);
  await assertRejects(() => runAsync(perform(effect)), RangeError);
});
