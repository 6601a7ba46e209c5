// V8's own calls: what they are not made on, and what they need.

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { deserialize, hasTrapHandler, instantiate, optimize, serialize } from "../../src/v8/intrinsics.ts";
import { probeArtifact } from "../../src/v8/proof.ts";
import { here, PADDED } from "../_v8_tools.ts";

test("V8's calls are not made on what is no module or no function of one", here, () => {
  assertThrows(() => serialize({} as WebAssembly.Module), TypeError);
  assertThrows(() => serialize(Object.create(WebAssembly.Module.prototype)), TypeError);
  for (const exported of [() => 1, {}, undefined]) assertThrows(() => optimize(exported), TypeError);
});

test("V8 writes down what it was told to optimize, and takes no artifact of other flags", here, () => {
  const module = new WebAssembly.Module(PADDED);
  assert(optimize(instantiate(module).exports.add));
  const artifact = serialize(module);
  assert(artifact.length < PADDED.length);
  artifact[12]! ^= 1;
  assertStrictEquals(deserialize(artifact, PADDED), undefined);
  assertStrictEquals(typeof hasTrapHandler(), "boolean");
});

test("V8's calls need no flag, and leave it as it was", here, () => {
  probeArtifact();
  assertThrows(() => new Function("return %IsWasmTrapHandlerEnabled()"), SyntaxError);
  assertEquals(process.execArgv.includes("--allow-natives-syntax"), false);
});
