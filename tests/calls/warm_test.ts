// Warming: every entry is seen to, whatever memory holds, so many at a time, until the first failure.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type Engine, ModuleCache, type WarmProgress } from "@wasm/module-cache";
import { rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  bytes,
  EMPTY_MODULE,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  TextEngine,
  type TextModule,
} from "../_tools.ts";

const options = { timeout: 60_000 };
const NAMES = ["a", "b", "c", "d", "e"];
const CODES = NAMES.map(bytes);

/** An engine whose compiles end when they are told to. */
class GatedEngine implements Engine<TextModule> {
  readonly id = "gated";
  readonly waiting: { name: string; end: () => void }[] = [];
  most = 0;

  async compile(code: Uint8Array): Promise<TextModule> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const name = new TextDecoder().decode(code);
    this.waiting.push({ name, end: resolve });
    this.most = Math.max(this.most, this.waiting.length);
    await promise;
    if (name === "b") throw new RangeError("not b");
    return { text: name };
  }

  serialize(): undefined {}
  deserialize(): undefined {}

  /** Lets the one that waits longest go on. */
  async next(): Promise<string> {
    while (this.waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const { name, end } = this.waiting.shift()!;
    end();
    return name;
  }
}

test(
  "warm makes every entry, tells of each, and has the modules in memory after",
  options,
  () =>
    inDirectory(async (directory) => {
      const cache = new ModuleCache({ engine: new TextEngine(), directory, strict: true });
      const told: WarmProgress[] = [];
      await cache.warm(CODES, { onProgress: (progress) => void told.push(progress) });
      assertEquals(
        told.map(({ done, total, from }) => [done, total, from]),
        [1, 2, 3, 4, 5].map((i) => [i, 5, "compiled"]),
      );
      assertEquals(new Set(told.map(({ key }) => key)).size, 5);
      assert(told.every(({ elapsedMs }) => elapsedMs >= 0 && elapsedMs < 60_000));
      assertEquals([entriesIn(directory).length, cache.stats().writes, cache.stats().memoryEntries], [5, 5, 5]);
      const hits = new ModuleCache({ engine: hitsOnly(new TextEngine()), directory, strict: true });
      for (const code of CODES) assertStrictEquals((await hits.resolve(code)).from, "disk");
      for (const code of CODES) assertStrictEquals(cache.resolveSync(code).from, "memory");
    }),
);

test("warm looks past memory, and makes an entry that is gone", options, () =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine(), directory, strict: true });
    await cache.resolve(bytes("a"));
    rmSync(onlyEntry(directory));
    const from: string[] = [];
    for (let i = 0; i < 2; i++) {
      await cache.warm([bytes("a")], { onProgress: (progress) => void from.push(progress.from) });
    }
    assertEquals([from, entriesIn(directory).length], [["compiled", "disk"], 1]);
  }));

test("warm takes an engine's thorough twin, and leaves the memory of lookups theirs", options, async () => {
  const thorough = new TextEngine();
  const engine = Object.assign(new TextEngine(), { thorough });
  const cache = new ModuleCache({ engine });
  await cache.warm([bytes("a"), bytes("b")]);
  assertEquals([engine.compiles, thorough.compiles, cache.stats().memoryEntries], [0, 2, 2]);
  assertStrictEquals((await cache.resolve(bytes("a"))).from, "memory");
});

test("warm works on one code at a time, or on as many as it is told", options, async () => {
  for (const [concurrency, most] of [[undefined, 1], [1, 1], [2, 2], [9, 3]]) {
    const engine = new GatedEngine();
    const warming = new ModuleCache({ engine }).warm(["a", "c", "d"].map(bytes), { concurrency });
    const order = [];
    for (let i = 0; i < 3; i++) {
      while (engine.waiting.length < Math.min(most!, 3 - i)) await new Promise((resolve) => setTimeout(resolve, 1));
      order.push(await engine.next());
    }
    await warming;
    // Those of one time are hashed at once, and begun as that ends.
    assertEquals([most === 1 ? order : order.sort(), engine.most], [["a", "c", "d"], most]);
  }
});

test("the first failure ends a warming, when what is under way is done", options, async () => {
  const engine = new GatedEngine();
  const warming = new ModuleCache({ engine }).warm(CODES, { concurrency: 2 });
  let isOver = false;
  void warming.catch(() => isOver = true);
  while (engine.waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  const [a, b] = engine.waiting.splice(0).sort((one, other) => one.name < other.name ? -1 : 1);
  b!.end();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertStrictEquals(isOver, false);
  a!.end();
  await assertRejects(() => warming, RangeError, "not b");
  assertEquals(engine.waiting, []);
});

test("what onProgress throws or rejects with ends the warming", options, async () => {
  for (const isRejected of [false, true]) {
    const cache = new ModuleCache({ engine: new TextEngine() });
    const failure = new RangeError("enough");
    const onProgress = () => {
      if (isRejected) return Promise.reject(failure) as unknown as void;
      throw failure;
    };
    await assertRejects(() => cache.warm(CODES, { onProgress }), RangeError, "enough");
    assertStrictEquals(cache.stats().memoryEntries, 1);
  }
});

test("a number of codes at a time that is none is refused before any of them", options, async () => {
  for (const concurrency of [0, -1, 1.5, NaN, "2"]) {
    const cache = new ModuleCache({ engine: new TextEngine() });
    const error = await cache.warm(CODES, { concurrency: concurrency as number }).catch((error) => error);
    assertEquals([error instanceof RangeError || error instanceof TypeError, cache.stats().compiled], [true, 0]);
  }
});

test("warm takes URLs as load does, and its signal ends it", options, async () => {
  await inDirectory(async (directory) => {
    const url = pathToFileURL(`${directory}/a.wasm`);
    writeFileSync(url, EMPTY_MODULE);
    const cache = new ModuleCache({ directory: `${directory}/cache`, strict: true });
    const told: WarmProgress[] = [];
    const other = Uint8Array.of(...EMPTY_MODULE, 0, 2, 1, 97);
    await cache.warm([url, other, url.href], { onProgress: (progress) => void told.push(progress) });
    assertEquals(told.map(({ from, url }) => [from, url]), [
      ["compiled", url.href],
      ["compiled", undefined],
      ["disk", url.href],
    ]);
    assertEquals([entriesIn(`${directory}/cache`).length, cache.stats().memoryEntries], [2, 2]);
    assertStrictEquals((await cache.resolve(EMPTY_MODULE)).key, told[0]!.key);

    for (const wrong of ["a.wasm", "http://"]) {
      await assertRejects(() => cache.warm([wrong]), TypeError, "no absolute URL");
    }
    await assertRejects(() => cache.warm([7 as unknown as URL]), TypeError);
    const signal = AbortSignal.abort(new RangeError("enough"));
    await assertRejects(() => cache.warm([EMPTY_MODULE], { signal }), RangeError, "enough");
  });
});
