// The step for WebAssembly text: what it takes, what it says of errors, when its library is loaded.

import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
import { wat, WatError, type WatOptions } from "@wasm/module-cache/wat";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bothWays, bytes, EMPTY_MODULE, hitsOnly, inDirectory, realModule, ROOT, text } from "../_tools.ts";
import { engineContract } from "../contract/engine.ts";

const ADD = `(module
  (import "host" "tell" (func $tell (param i32)))
  (func (export "add") (param i32 i32) (result i32)
    (call $tell (local.get 0))
    (i32.add (local.get 0) (local.get 1))))`;

/** A step that has loaded its library: what it then gives is no promise. */
async function loadedWat(): Promise<ReturnType<typeof wat>> {
  const step = wat();
  await step.prepare(bytes("(module)"));
  return step;
}

const loaded = await loadedWat();

engineContract({
  name: "wat",
  make: () => prepared(hostEngine(), loaded),
  code: () => bytes(ADD),
  bad: () => bytes("(module (func foo))"),
  ask: (module) => {
    const told: number[] = [];
    const { exports } = new WebAssembly.Instance(module, { host: { tell: (n: number) => told.push(n) } });
    return [(exports.add as (a: number, b: number) => number)(2, 3), told];
  },
});

bothWays("a text that was translated before needs no wabt", (resolve) =>
  inDirectory(async (directory) => {
    await new ModuleCache({ engine: prepared(hostEngine(), wat()), directory }).resolve(bytes(ADD));
    const cache = new ModuleCache({ engine: hitsOnly(prepared(hostEngine(), wat())), directory, strict: true });
    assertEquals((await resolve(cache, bytes(ADD))).from, "disk");
  }));

test("wat names the version of wabt that it loads, and the features", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules/wabt/package.json"), "utf8"));
  assertStrictEquals(wat().id, `wabt@${version}`);
  assertStrictEquals(wat({ features: ["threads", "gc", "threads"] }).id, `wabt@${version} +gc +threads`);
});

test("wat passes binary code through unchanged, also synchronously", () => {
  const code = realModule("sqlite");
  assertStrictEquals(wat().prepare(code), code);
  assertStrictEquals(wat().prepare(EMPTY_MODULE), EMPTY_MODULE);
});

test("wat serves synchronous lookups once its library is loaded", async () => {
  const cache = new ModuleCache({ engine: prepared(hostEngine(), wat()) });
  assertThrows(() => cache.resolveSync(bytes(ADD)), TypeError, "Cannot prepare synchronously");
  await cache.resolve(bytes("(module)"));
  assertEquals(cache.resolveSync(bytes(ADD)).from, "compiled");
});

test("wat says at which line and column a text is wrong", async () => {
  const wrong: [string, number, number][] = [
    ["(module\n  (func (result i32) foo))", 2, 22],
    ["(module\n\n (func (call $g)))", 3, 14],
    ["(module (func (result i32)))", 1, 15],
    ['(module (memory 1) (func (export "é")) (func (result i32) i64.const 0))', 1, 60],
    ["junk", 1, 1],
    ["(module\n", 2, 1],
    ["\xff", 1, 1],
  ];
  for (const [source, line, column] of wrong) {
    const error = await assertRejects(async () => await wat().prepare(bytes(source)), WatError);
    assertInstanceOf(error, WebAssembly.CompileError);
    assertInstanceOf(error.cause, Error);
    assertEquals([error.name, error.line, error.column], ["WatError", line, column], source);
    assertEquals(error.message.startsWith(`Cannot translate text at ${line}:${column}: `), true, error.message);
  }
});

test("wat's error is the lookup's, and is not cached", () =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: prepared(hostEngine(), wat()), directory, strict: true });
    for (let i = 0; i < 2; i++) await assertRejects(() => cache.resolve(bytes("(module (func foo))")), WatError);
    assertEquals((await cache.resolve(bytes("(module)"))).from, "compiled");
  }));

test("wat reads a proposal only where it is allowed to", async () => {
  const source = bytes("(module (func $f (return_call $f)))");
  await assertRejects(async () => await wat().prepare(source), WatError, "return_call");
  const code = await wat({ features: ["tail_call"] }).prepare(source);
  assertEquals(WebAssembly.validate(new Uint8Array(code)), true);
});

test("wat translates many texts at once, the same each time", async () => {
  const step = wat();
  const texts = Array.from({ length: 20 }, (_, i) => `(module (func (export "f") (result i32) (i32.const ${i})))`);
  const outputs = await Promise.all(texts.map((source) => step.prepare(bytes(source))));
  for (const [i, output] of outputs.entries()) {
    assertEquals(output, await loaded.prepare(bytes(texts[i]!)));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(output)));
    assertEquals((exports.f as () => number)(), i);
  }
});

test("wat leaves the text as it is", async () => {
  const source = bytes(ADD);
  await wat().prepare(source);
  assertStrictEquals(text(source), ADD);
});

test("wat takes the library that load gives, once, and refuses another one", async () => {
  let loads = 0;
  const step = wat({ load: () => (loads++, import("wabt")) });
  for (let i = 0; i < 2; i++) assertEquals(await step.prepare(bytes(ADD)), await loaded.prepare(bytes(ADD)));
  assertEquals(loads, 1);
  const wrong = wat({ load: () => Promise.resolve({}) });
  await assertRejects(async () => await wrong.prepare(bytes(ADD)), Error, "is not wabt@");
});

test("wat refuses options that are none", () => {
  assertThrows(() => wat({ load: "wabt" } as unknown as WatOptions), TypeError);
  assertThrows(() => wat({ features: "gc" } as unknown as WatOptions), TypeError);
  assertThrows(() => wat({ features: ["gcc"] } as unknown as WatOptions), RangeError);
  assertStrictEquals(wat(undefined).id, wat({ features: [] }).id);
});
