// Operations: both kinds of run, errors, composed steps.

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import {
  compose,
  type Effect,
  forEach,
  immediate,
  limiter,
  type Operation,
  perform,
  runAsync,
  runSync,
} from "../src/effect.ts";

const later = <T>(value: T): Effect<T> => ({
  name: "later",
  sync: () => value,
  async: () => Promise.resolve().then(() => value),
});

const failing: Effect<never> = {
  name: "failing",
  sync: () => {
    throw new RangeError("no");
  },
  async: () => Promise.reject(new RangeError("no")),
};

function* sum(): Operation<number> {
  const a = yield* perform(later(1));
  const b = yield* perform(immediate("now", () => 2));
  return a + b;
}

test("runSync and runAsync give the same", async () => {
  assertStrictEquals(runSync(sum()), 3);
  assertStrictEquals(await runAsync(sum()), 3);
});

test("an operation can catch what a step throws, and clean up", async () => {
  const seen: string[] = [];
  function* guarded(): Operation<string> {
    try {
      return yield* perform(failing);
    } catch (error) {
      seen.push((error as Error).name);
      return yield* perform(later("caught"));
    } finally {
      seen.push("finally");
    }
  }
  assertStrictEquals(runSync(guarded()), "caught");
  assertStrictEquals(await runAsync(guarded()), "caught");
  assertEquals(seen, ["RangeError", "finally", "RangeError", "finally"]);
});

test("an error that nobody catches reaches the caller untouched", async () => {
  function* unguarded(): Operation<void> {
    yield* perform(failing);
  }
  assertThrows(() => runSync(unguarded()), RangeError, "no");
  await assertRejects(() => runAsync(unguarded()), RangeError, "no");
});

test("runAsync ends in the very call when no step waits", () => {
  let isDone = false;
  function* instant(): Operation<void> {
    yield* perform(immediate("now", () => isDone = true));
  }
  runAsync(instant());
  assertStrictEquals(isDone, true);
});

test("compose makes an operation one step, in both kinds of run", async () => {
  const effect = compose("sum", sum);
  assertStrictEquals(effect.sync(), 3);
  assertStrictEquals(await effect.async(), 3);
});

test("forEach works on a bounded number at once where it may wait, and else on one after another", async () => {
  for (const [run, least] of [[runAsync, 2], [runSync, 1]] as const) {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await run(forEach(Array(100).keys(), function* (i) {
      most = Math.max(most, ++running);
      yield* perform(later(i));
      running--;
      done.push(i);
    }));
    assertEquals(done.sort((a, b) => a - b), [...Array(100).keys()]);
    assertEquals([most >= least, most <= (least === 1 ? 1 : 16)], [true, true], `${most} at once`);
  }
});

test("forEach is over with the first error, when what was begun is done", async () => {
  let begun = 0;
  let done = 0;
  function* work(i: number): Operation<void> {
    begun++;
    yield* perform(i === 20 ? failing : later(i));
    done++;
  }
  await assertRejects(() => runAsync(forEach(Array(1000).keys(), work)), RangeError, "no");
  assertEquals([done === begun - 1, begun < 100], [true, true], `${begun} begun, ${done} done`);
  assertThrows(() => runSync(forEach([1, 20, 3], work)), RangeError, "no");
});

test("limiter lets so many tasks run at once, the others in turn, also after one that fails", async () => {
  const enter = limiter(2);
  const waiting: (() => void)[] = [];
  const begun: number[] = [];
  const tasks = [...Array(5).keys()].map((i) =>
    enter(async () => {
      begun.push(i);
      await new Promise<void>((resolve) => waiting.push(resolve));
      if (i === 0) throw new RangeError("no");
      return i;
    }).catch(({ name }) => name)
  );
  for (const [ended, running] of [[0, 2], [1, 3], [2, 4], [3, 5]] as const) {
    if (ended > 0) waiting[ended - 1]!();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(begun, [...Array(running).keys()]);
  }
  for (const end of waiting) end();
  assertEquals(await Promise.all(tasks), ["RangeError", 1, 2, 3, 4]);
});
