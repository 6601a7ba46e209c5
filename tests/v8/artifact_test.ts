// Artifacts: the grade in them, their flags, and the profile that can be read of them.

import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { graded, GRADES, isAtLeast, profileOf, ungraded, wholeProfile, withFlagsOf } from "../../src/v8/artifact.ts";

test("an artifact's grade takes the place of a byte that is always the same", () => {
  const artifact = () => Uint8Array.of(0x89, 6, 0xde, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5);
  assertEquals(ungraded(graded(artifact(), "profile")), artifact());
  const grades = Object.keys(GRADES) as (keyof typeof GRADES)[];
  assertEquals(grades.map((grade) => isAtLeast(graded(artifact(), "profile"), grade)), [true, true, false]);
  assertEquals(grades.map((grade) => isAtLeast(artifact(), grade)), [false, false, false]);
  assertEquals(grades.map((grade) => isAtLeast(new Uint8Array(), grade)), [false, false, false]);
  assertThrows(() => graded(graded(artifact(), "full"), "full"), RangeError);
  assertEquals(withFlagsOf(artifact(), new Uint8Array(20)).subarray(12, 17), Uint8Array.of(0, 0, 0, 0, 5));
});

test("a profile names the functions whose budget was used", () => {
  const artifact = (...budgets: number[]) =>
    Uint8Array.from([1, 2, 3, ...new Uint8Array(Int32Array.from(budgets).buffer)]);
  assertEquals(profileOf(artifact(9, 8, 9, -1), 4), Uint8Array.of(0, 0, 2, 0, 2));
  assertEquals(profileOf(artifact(9, 9), 2), undefined);
  assertEquals(profileOf(artifact(9), 4), undefined);
  assertEquals(profileOf(artifact(), 0), undefined);
  assertEquals(wholeProfile(3), Uint8Array.of(0, 2, 2, 2));
});
