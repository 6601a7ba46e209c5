// Lookups under way: who finds them, what those who join get, and what is left of them.

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { Flights } from "../../src/memory/flights.ts";
import type { Slot } from "../../src/memory/memory_tier.ts";
import { webPlatform } from "../../src/platform/web.ts";
import { bytes } from "../_tools.ts";

const slot: Slot<string> = { module: "module", code: bytes("code"), digest: "d", key: "k", compileMs: 0 };

function flights(): Flights<string> {
  return new Flights<string>(webPlatform.equal);
}

test("a flight is found by its code until it ends", () => {
  const all = flights();
  const [first, second] = [all.begin(bytes("code")), all.begin(bytes("code"))];
  assertStrictEquals(all.find(bytes("mode")), undefined);
  for (const found of [first, second]) {
    assertStrictEquals(all.find(bytes("code")), found);
    all.end(found);
  }
  assertStrictEquals(all.find(bytes("code")), undefined);
});

test("those who join get the module, and one that must not wait gets none at once", async () => {
  const flight = flights().begin(bytes("code"));
  assertEquals([flight.join.sync(), flight.isJoined], [undefined, false]);
  const joined = [flight.join.async(), flight.join.async()];
  assertStrictEquals(flight.isJoined, true);
  flight.land(slot);
  assertEquals(await Promise.all(joined), [slot, slot]);
});

test("those who join get the error, and one that nobody joined fails unheard", async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", listener);
  const [joined, alone] = [flights().begin(bytes("a")), flights().begin(bytes("b"))];
  const joining = assertRejects(async () => await joined.join.async(), RangeError, "no");
  for (const flight of [joined, alone]) flight.fail(new RangeError("no"));
  await joining;
  // A rejection that nobody takes is told of after the task in which it came.
  await new Promise((resolve) => setTimeout(resolve, 0));
  process.off("unhandledRejection", listener);
  assertEquals(unhandled, []);
});
