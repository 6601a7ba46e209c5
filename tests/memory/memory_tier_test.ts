// The memory tier: limits and order of use, against a model.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { MemoryTier, type Slot } from "../../src/memory/memory_tier.ts";
import { webPlatform } from "../../src/platform/web.ts";
import { bytes } from "../_tools.ts";

function tier(maxEntries: number, maxBytes = Infinity): MemoryTier<string> {
  return new MemoryTier({ maxEntries, maxBytes }, webPlatform.equal);
}

function slot(name: string): Slot<string> {
  return { module: `module ${name}`, code: bytes(name), digest: `digest ${name}`, key: `key ${name}`, compileMs: 0 };
}

/** Which of the names are kept, without touching their order. */
function kept(memory: MemoryTier<string>, names: string): string {
  const found = [...names].filter((name) => memory.get(`digest ${name}`));
  return found.join("");
}

test("the least recently used module goes first, at every size", () => {
  for (let size = 1; size <= 9; size++) {
    const memory = tier(size);
    const names = "abcdefghijklmnopqrstuvwxyz";
    // A list of names is the model: youngest last.
    let model: string[] = [];
    let random = size;
    for (let step = 0; step < 500; step++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      const name = names[(random >>> 16) % 14]!;
      const found = memory.get(`digest ${name}`);
      assertStrictEquals(found !== undefined, model.includes(name), `size ${size}, step ${step}, ${name} of ${model}`);
      model = [...model.filter((other) => other !== name), name].slice(-size);
      if (!found) memory.set(slot(name));
      assertStrictEquals(memory.entries, model.length);
      assertStrictEquals(memory.bytes, model.length);
    }
  }
});

test("a lookup by code counts as a use too", () => {
  const memory = tier(2);
  memory.set(slot("a"));
  memory.set(slot("b"));
  assertStrictEquals(memory.find(bytes("a"))?.module, "module a");
  memory.set(slot("c"));
  assertStrictEquals(kept(memory, "abc"), "ac");
});

test("bytes are bounded, and a module larger than the bound is not kept", () => {
  const memory = tier(100, 10);
  for (const name of ["aaaa", "bbbb", "cccc"]) memory.set(slot(name));
  assertEquals([memory.entries, memory.bytes, memory.evictions], [2, 8, 1]);
  memory.set(slot("d".repeat(11)));
  assertEquals([memory.entries, memory.bytes], [2, 8]);
  memory.set(slot("e".repeat(10)));
  assertEquals([memory.entries, memory.bytes, memory.evictions], [1, 10, 3]);
});

test("zero entries or bytes keep nothing", () => {
  for (const memory of [tier(0), tier(10, 0)]) {
    memory.set(slot("a"));
    assertEquals([memory.entries, memory.bytes, memory.get("digest a")], [0, 0, undefined]);
  }
});

test("a module set twice is kept once", () => {
  const memory = tier(10);
  memory.set(slot("a"));
  memory.set({ ...slot("a"), module: "newer" });
  assertEquals([memory.entries, memory.bytes, memory.find(bytes("a"))?.module], [1, 1, "newer"]);
});

test("delete and clear forget by digest, by key and by code", () => {
  const memory = tier(10);
  for (const name of "abc") memory.set(slot(name));
  assertEquals([memory.delete("digest a"), memory.delete("digest a")], [true, false]);
  assertEquals([memory.deleteKey("key b"), memory.deleteKey("key b")], [true, false]);
  assertEquals([memory.find(bytes("a")), memory.find(bytes("b"))], [undefined, undefined]);
  assertStrictEquals(memory.entries, 1);
  memory.clear();
  assertEquals([memory.entries, memory.bytes, memory.find(bytes("c"))], [0, 0, undefined]);
});

test("no limits are limits too", () => {
  const memory = tier(Infinity);
  for (let i = 0; i < 5000; i++) memory.set(slot(`code ${i}`));
  assertEquals([memory.entries, memory.evictions], [5000, 0]);
});
