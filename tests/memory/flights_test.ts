// Lookups under way: who finds them, what those who join get, and what is left of them.

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { Flights } from "../../src/memory/flights.ts";
import type { Slot } from "../../src/memory/memory_tier.ts";
import { webPlatform } from "../../src/platform/web.ts";
import { bytes } from "../_tools.ts";

const slot: Slot<string> = { module: "module", code: bytes("code"), digest: "d", key: "k" };

function flights(): Flights<string> {
  return new Flights<string>(webPlatform.equal);
}

test("a flight is found by its code from the start, and by its digest once that is known", () => {
  const all = flights();
  const flight = all.begin(bytes("code"));
  assertStrictEquals(all.findByCode(bytes("code")), flight);
  assertEquals([all.findByCode(bytes("mode")), all.findByDigest("d")], [undefined, undefined]);
  all.announce(flight, "d");
  assertStrictEquals(all.findByDigest("d"), flight);
  all.end(flight, "d");
  assertEquals([all.findByCode(bytes("code")), all.findByDigest("d")], [undefined, undefined]);
});

test("a flight that came later under a digest neither hides nor ends the first", () => {
  const all = flights();
  const [first, second] = [all.begin(bytes("code")), all.begin(bytes("code"))];
  for (const flight of [first, second]) all.announce(flight, "d");
  all.end(second, "d");
  assertStrictEquals(all.findByDigest("d"), first);
  assertStrictEquals(all.findByCode(bytes("code")), first);
  all.end(first, undefined);
  assertStrictEquals(all.findByCode(bytes("code")), undefined);
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

test("flights of codes that look alike are crowded until they end", () => {
  const all = flights();
  const codes = Array.from({ length: 9 }, (_, i) => Uint8Array.from({ length: 1000 }, (_, at) => at === 3 ? i : 0));
  const begun = codes.map((code) => all.begin(code));
  assertEquals([all.isCrowded(codes[0]!), all.findByCode(codes[0]!)], [true, undefined]);
  all.end(begun[8]!, undefined);
  assertEquals([all.isCrowded(codes[0]!), all.findByCode(codes[0]!) === begun[0]], [false, true]);
});
