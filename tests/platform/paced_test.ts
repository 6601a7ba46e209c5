// Calls of the file system in asynchronous runs: at once while they are quick, by other threads otherwise.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import { perform, runAsync } from "../../src/effect.ts";
import { pacing } from "../../src/platform/paced.ts";

/** Calls by a clock that stands still between them. */
function calls() {
  let nowMs = 1000;
  const paced = pacing(() => nowMs);
  const back: (() => void)[] = [];
  /** Makes a call that takes so long, and says how; one that is left to another thread comes back by `back`. */
  const wayOf = (ms: number, bytes?: number) => {
    let way = "later";
    const sync = () => (nowMs += ms, way = "at once");
    void paced("call", sync, () => new Promise<string>((resolve) => back.push(() => resolve("later"))), bytes).async();
    return way;
  };
  return { wayOf, back, pass: (ms: number) => nowMs += ms };
}

test("quick calls are made at once, until they have taken 4 ms", async () => {
  const { wayOf, back, pass } = calls();
  assertEquals([wayOf(1), wayOf(1), wayOf(1), wayOf(1)], ["at once", "at once", "at once", "at once"]);
  assertEquals([wayOf(0), wayOf(0)], ["later", "later"]);
  // However long that takes, the loop has not turned before the first comes back.
  pass(1000);
  assertEquals(wayOf(0), "later");
  back[0]!();
  await null;
  assertEquals([wayOf(3), wayOf(1), wayOf(0)], ["at once", "at once", "later"]);
});

test("what goes on between calls counts, and a pause without calls ends that", () => {
  const { wayOf, pass } = calls();
  assertEquals(wayOf(0), "at once");
  pass(24);
  assertEquals(wayOf(0), "later");
  const other = calls();
  assertEquals(other.wayOf(0), "at once");
  other.pass(25);
  assertEquals(other.wayOf(0), "at once");
});

test("much is always left to another thread", () => {
  const { wayOf } = calls();
  assertEquals([wayOf(0, 256 * 1024), wayOf(0, 256 * 1024 - 1)], ["later", "at once"]);
});

test("after a slow call none is made at once for twenty times as long", async () => {
  const { wayOf, back, pass } = calls();
  assertEquals(wayOf(10), "at once");
  pass(180);
  assertEquals(wayOf(0), "later");
  back[0]!();
  await null;
  pass(9);
  assertEquals(wayOf(0), "later");
  back[1]!();
  await null;
  pass(1);
  assertEquals(wayOf(0), "at once");
});

test("what a call throws is thrown", async () => {
  const fail = () => {
    throw new RangeError("no");
  };
  const effect = pacing(() => 0)("call", fail, async () => await Promise.reject(new RangeError("no")));
  assertThrows(effect.sync, RangeError);
  await assertRejects(() => runAsync(perform(effect)), RangeError);
});
