// Whether the engine can be used, and what decides whether artifacts load.

import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { v8Engine } from "@wasm/module-cache/v8";
import { setFlagsFromString } from "node:v8";
import { test } from "node:test";
import { availability, hasFlagsOf, identity } from "../../src/v8/identity.ts";
import { runScript, thisRuntime } from "../_tools.ts";
import { here } from "../_v8_tools.ts";
import process from "node:process";

test("the V8 engine says whether it can be used, and why not", () => {
  const { available, reason } = availability();
  assertEquals(available, /^Node 2[2-5]\./.test(thisRuntime()));
  assertEquals(typeof reason, available ? "undefined" : "string");
  if (!available) assertThrows(() => v8Engine(), TypeError, reason!);
});

test("an identity names all that decides whether an artifact loads", here, () => {
  const id = identity();
  for (const part of [process.versions.v8, process.versions.node, process.platform, process.arch]) {
    assert(id.includes(part!));
  }
  assertMatch(id, / (no )?traps /);
  assertStrictEquals(identity(), id);
});

test("flags that are changed while the program runs are another identity", here, () => {
  const id = identity();
  setFlagsFromString("--stack-size=2000");
  try {
    assertEquals([hasFlagsOf(id), identity() === id], [false, false]);
  } finally {
    setFlagsFromString("--stack-size=984");
  }
  assertEquals(hasFlagsOf(id), true);
});

test("a process that may not start processes cannot use the V8 engine", here, async () => {
  const script = "import { v8Engine } from '@wasm/module-cache/v8'; console.log(v8Engine.available().reason)";
  const flags = ["--permission", `--allow-fs-read=*`, "--input-type=module", "-e", script];
  const { stdout } = await runScript([process.execPath, ...flags], "--");
  assertEquals(stdout.includes("--allow-child-process"), true, stdout);
});

test("under Yarn's Plug'n'Play, and in a process that makes artifacts, the V8 engine says no", here, async () => {
  const script = `
    import { v8Engine } from "@wasm/module-cache/v8";
    Object.defineProperty(process, "versions", { value: { ...process.versions, pnp: "3" } });
    console.log(v8Engine.available().reason);
  `;
  const command = [process.execPath, "--input-type=module", "-e", script];
  assertMatch((await runScript(command, "--")).stdout, /Plug'n'Play/);
  const env = { WASM_MODULE_CACHE_PROCESS: "1" };
  assertMatch((await runScript(command, "--", [], env)).stdout, /processes that make artifacts/);
});
