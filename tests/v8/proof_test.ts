// The proof that V8's calls do what the engine needs.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { deserialize } from "../../src/v8/intrinsics.ts";
import { PROBE, probeArtifact, works } from "../../src/v8/proof.ts";
import { here } from "../_v8_tools.ts";

test("the probe works where it is compiled", () => {
  assertStrictEquals(works(new WebAssembly.Module(PROBE)), true);
});

test("a module that adds or traps otherwise does not work", () => {
  const changed = (from: number[], to: number[]) => {
    const at = PROBE.findIndex((_, i) => from.every((byte, k) => PROBE[i + k] === byte));
    return new WebAssembly.Module(PROBE.map((byte, i) => to[i - at] ?? byte));
  };
  // i32.sub for i32.add; a memory of 16 pages; a constant in the place of what is read.
  assertStrictEquals(works(changed([0x6a], [0x6b])), false);
  assertStrictEquals(works(changed([0x05, 0x04, 0x01, 0x01, 0x01, 0x01], [0x05, 0x04, 0x01, 0x01, 0x10, 0x10])), false);
  assertStrictEquals(works(changed([0x28, 0x02, 0x00], [0x1a, 0x41, 0x07])), false);
});

test("the artifact of the probe comes back whole", here, () => {
  const module = deserialize(probeArtifact(), PROBE);
  assertEquals(module && works(module), true);
});
