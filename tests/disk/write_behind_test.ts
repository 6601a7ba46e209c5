// Writes behind lookups: when they come, in which order, and what waits for them.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { WriteBehind } from "../../src/disk/write_behind.ts";
import { type Operation, perform, runAsync, runSync } from "../../src/effect.ts";

const MIB = 1024 ** 2;

/** Writes that note when they begin and end; those with a gate end when it opens. */
class Writes {
  readonly log: string[] = [];
  readonly behind = new WriteBehind();
  running = 0;
  most = 0;

  schedule(key: string, { bytes = 0, name = key, gate }: { bytes?: number; name?: string; gate?: Promise<void> } = {}) {
    this.behind.schedule(key, bytes, () => this.#write(name, gate));
  }

  *#write(name: string, gate?: Promise<void>): Operation<void> {
    this.log.push(name);
    this.most = Math.max(this.most, ++this.running);
    const later = () => gate ?? new Promise<void>((resolve) => setImmediate(resolve));
    yield* perform({ name: "later", sync: () => {}, async: later });
    this.running--;
    this.log.push(`/${name}`);
  }
}

test("writes behind come later, one after another, in their order", async () => {
  const writes = new Writes();
  for (const key of "abc") writes.schedule(key);
  assertEquals(writes.log, []);
  await Promise.resolve();
  assertEquals([writes.log, writes.behind.has("a"), writes.behind.has("d")], [[], true, false]);
  await writes.behind.flush();
  assertEquals([writes.log, writes.most, writes.behind.has("a")], [["a", "/a", "b", "/b", "c", "/c"], 1, false]);
  // The next ones come by themselves.
  writes.schedule("d");
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let turn = 0; turn < 100 && writes.behind.has("d"); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assertEquals(writes.log.slice(6), ["d", "/d"]);
});

test("a write behind takes the place of one of its key that has not begun, and waits for one that has", async () => {
  const writes = new Writes();
  writes.schedule("a", { name: "a1" });
  writes.schedule("b");
  writes.schedule("a", { name: "a2" });
  await writes.behind.flush();
  assertEquals(writes.log, ["a2", "/a2", "b", "/b"]);
  writes.log.length = 0;
  const gate = Promise.withResolvers<void>();
  writes.schedule("a", { name: "a3", gate: gate.promise });
  const first = writes.behind.flush();
  assertEquals(writes.log, ["a3"]);
  writes.schedule("a", { name: "a4" });
  writes.schedule("a", { name: "a5" });
  const second = writes.behind.flush();
  await new Promise((resolve) => setImmediate(resolve));
  assertEquals(writes.log, ["a3"]);
  gate.resolve();
  await Promise.all([first, second]);
  assertEquals(writes.log, ["a3", "/a3", "a5", "/a5"]);
});

test("writes behind that hold too much memory are left out, until others are done or replaced", async () => {
  const writes = new Writes();
  writes.schedule("alone", { bytes: 300 * MIB });
  writes.schedule("b", { bytes: 1 });
  assertStrictEquals(writes.behind.has("b"), false);
  await writes.behind.flush();
  writes.schedule("c", { bytes: 200 * MIB });
  writes.schedule("d", { bytes: 57 * MIB });
  writes.schedule("e", { bytes: 56 * MIB });
  assertEquals(["c", "d", "e"].map((key) => writes.behind.has(key)), [true, false, true]);
  writes.schedule("c", { bytes: 0 });
  writes.schedule("f", { bytes: 200 * MIB });
  writes.schedule("g", { bytes: 1 });
  assertEquals(["f", "g"].map((key) => writes.behind.has(key)), [true, false]);
  runSync(perform(writes.behind.settle("f")));
  writes.schedule("h", { bytes: 200 * MIB });
  assertStrictEquals(writes.behind.has("h"), true);
  await writes.behind.flush();
});

test("settle has the write of one key done now, once", async () => {
  const writes = new Writes();
  for (const key of "abc") writes.schedule(key);
  runSync(perform(writes.behind.settle("b")));
  assertEquals([writes.log, writes.behind.has("b")], [["b", "/b"], false]);
  await runAsync(perform(writes.behind.settle("c")));
  assertStrictEquals(writes.log.includes("/c"), true);
  await runAsync(perform(writes.behind.settle("none")));
  runSync(perform(writes.behind.settle("none")));
  await writes.behind.flush();
  assertEquals(writes.log.toSorted(), ["/a", "/b", "/c", "a", "b", "c"]);
});

test("settleAll waits for one key where it is told to, also for a write that a synchronous run overtook", async () => {
  const writes = new Writes();
  const gate = Promise.withResolvers<void>();
  writes.schedule("a", { gate: gate.promise });
  writes.schedule("b");
  await writes.behind.settleAll("b");
  assertEquals([writes.log.includes("/b"), writes.log.includes("/a")], [true, false]);
  const running = runAsync(perform(writes.behind.settle("a")));
  runSync(perform(writes.behind.settle("a")));
  let isSettled = false;
  const settled = writes.behind.settleAll("a").then(() => isSettled = true);
  await writes.behind.settleAll("b");
  await new Promise((resolve) => setImmediate(resolve));
  assertStrictEquals(isSettled, false);
  gate.resolve();
  await Promise.all([running, settled]);
  assertEquals(writes.log.toSorted(), ["/a", "/a", "/b", "a", "a", "b"]);
});

test("flush tells once of a write that failed behind, and none of one that somebody waited for", async () => {
  const behind = new WriteBehind();
  const failing = (message: string) =>
    behind.schedule(message, 0, function* () {
      yield* perform({ name: "later", sync: () => {}, async: () => Promise.resolve() });
      throw new Error(message);
    });
  failing("first");
  failing("second");
  assertStrictEquals((await assertRejects(() => behind.flush(), Error)).message, "first");
  await behind.flush();
  failing("third");
  assertStrictEquals((await assertRejects(() => runAsync(perform(behind.settle("third"))), Error)).message, "third");
  await behind.flush();
  assertStrictEquals(behind.has("third"), false);
});

test("flush waits for all that writes schedule in their turn", async () => {
  const behind = new WriteBehind();
  const done: number[] = [];
  const schedule = (i: number): void =>
    behind.schedule(`write ${i}`, 0, function* () {
      yield* perform({
        name: "later",
        sync: () => {},
        async: () => new Promise<void>((resolve) => setImmediate(resolve)),
      });
      if (i < 5) schedule(i + 1);
      done.push(i);
    });
  schedule(0);
  await behind.flush();
  assertEquals(done, [0, 1, 2, 3, 4, 5]);
});

test("flush ends where others go on to schedule for ever", async () => {
  const behind = new WriteBehind();
  let written = 0;
  const schedule = (): void =>
    behind.schedule(`write ${written}`, 0, function* () {
      yield* perform({ name: "later", sync: () => {}, async: () => new Promise<void>((done) => setImmediate(done)) });
      if (++written < 1000) schedule();
    });
  schedule();
  await behind.flush();
  assert(written >= 10 && written < 100, `${written} writes`);
});
