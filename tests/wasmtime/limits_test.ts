// Fuel, deadlines, limits, and the end of an instance.

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inDirectory, ROOT, runScript, runtimes, thisRuntime } from "../_tools.ts";
import { codeOf, engineWith, instanceOf, native, trapOf } from "./_engine.ts";
import { library } from "./_library.ts";

const LOOPS = `(module (memory (export "m") 1) (table (export "t") 1 funcref)
  (func (export "spin") (loop (br 0)))
  (func (export "count") (param i32) (result i32)
    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0))) (local.get 0))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "growTable") (param i32) (result i32) (table.grow 0 (ref.null func) (local.get 0))))`;

for (const isBest of [true, false]) {
  const by = isBest ? "Cranelift" : "Winch";

  test(`fuel ends an endless loop, and the instance can be used again, by ${by}`, native, async () => {
    const engine = engineWith({ fuel: true });
    const instance = await instanceOf(LOOPS, { engine, options: { fuel: 100_000n }, isBest });
    assertStrictEquals(instance.exports.count(100), 0);
    const left = instance.fuelLeft!;
    assert(left < 100_000n && left > 90_000n, `${left}`);
    assertEquals([trapOf(instance.exports.spin), instance.fuelLeft], ["FUEL", 0n]);
    assertStrictEquals(trapOf(() => instance.exports.count(100)), "FUEL");
    instance.fuelLeft = 10_000n;
    assertStrictEquals(instance.exports.count(100), 0);
    assertThrows(() => instance.fuelLeft = -1n, RangeError);
    assertThrows(() => instance.fuelLeft = 5 as never, TypeError);
    // Without a limit there is enough.
    assertStrictEquals((await instanceOf(LOOPS, { engine, isBest })).exports.count(1_000_000), 0);
  });

  test(`a deadline ends an endless loop, and the instance can be used again, by ${by}`, native, async () => {
    const engine = engineWith({ deadlines: true });
    const { exports } = await instanceOf(LOOPS, { engine, options: { deadlineMs: 30 }, isBest });
    for (let i = 0; i < 3; i++) assertEquals([trapOf(exports.spin), exports.count(100)], ["DEADLINE", 0]);
    // Those without one are not ended by another's.
    const { exports: other } = await instanceOf(LOOPS, { engine, isBest });
    assertStrictEquals(other.count(50_000_000), 0);
  });

  test(`a memory and a table grow no further than allowed, by ${by}`, native, async () => {
    const engine = engineWith();
    const options = { maxMemoryBytes: 3 * 65536, maxTableElements: 5 };
    const { exports } = await instanceOf(LOOPS.replace(/\(func \(export "growTable"[^]*$/, ")"), {
      engine,
      options,
      isBest,
    });
    assertEquals([exports.grow(1), exports.grow(2), exports.grow(1), exports.grow(1)], [1, -1, 2, -1]);
    assertThrows(() => exports.m.grow(1), RangeError);
    assertEquals([exports.t.grow(4), exports.t.length], [1, 5]);
    assertThrows(() => exports.t.grow(1), RangeError);
    const large = await engine.compile(await codeOf("(module (memory 10))"));
    assertThrows(() => engine.instantiate(large, {}, options), RangeError);
  });
}

test("limits that the engine was not made for, and invalid ones, are errors", native, async () => {
  const engine = engineWith();
  const module = await engine.compile(await codeOf(LOOPS));
  for (const options of [{ fuel: 1n }, { deadlineMs: 5 }, { maxMemoryBytes: "1" }]) {
    assertThrows(() => engine.instantiate(module, {}, options as never), TypeError);
  }
  for (const options of [{ maxMemoryBytes: -1 }, { maxTableElements: Number.NaN }]) {
    assertThrows(() => engine.instantiate(module, {}, options), RangeError);
  }
  assertStrictEquals(engine.instantiate(module).fuelLeft, undefined);
  for (const options of [{ optimize: "best" }, { fuel: 1 }, { deadlines: "yes" }, { maxWasmStackBytes: "1" }]) {
    assertThrows(() => engineWith(options as never), TypeError);
  }
  for (const maxWasmStackBytes of [0, -1, 1.5, 65535, 2 ** 20, Infinity]) {
    assertThrows(() => engineWith({ maxWasmStackBytes }), RangeError);
  }
});

test("an instance that was disposed of is a TypeError, and its buffers are empty", native, async () => {
  const engine = engineWith();
  let dispose = () => {};
  const text = `(module (import "e" "f" (func $f)) (memory (export "m") 1) (table (export "t") 1 funcref)
    (global (export "g") (mut i32) (i32.const 1)) (func (export "run") (call $f)) (func (export "nothing")))`;
  const instance = await instanceOf(text, { engine, imports: { e: { f: () => dispose() } } });
  const { m, t, g, run, nothing } = instance.exports;
  const buffer: ArrayBuffer = m.buffer;
  dispose = () => instance.dispose();
  assertThrows(() => run(), TypeError, "running");
  assertStrictEquals(buffer.byteLength, 65536);
  instance.dispose();
  instance[Symbol.dispose]();
  assertStrictEquals(buffer.byteLength, 0);
  const uses = [run, nothing, () => m.buffer, () => m.grow(1), () => t.get(0), () => t.length, () => t.set(0, null)];
  for (const use of [...uses, () => t.grow(1), () => g.value, () => g.value = 2]) {
    assertThrows(use, TypeError, "disposed");
  }
});

for (const [what, count] of [["instances", "20000"], ["references", "200000"]] as const) {
  test(`${count} ${what} that nobody keeps are freed`, { ...native, timeout: 120_000 }, async () => {
    const command = runtimes()[thisRuntime()]!;
    const { code, stderr, stdout } = await runScript(command, "tests/wasmtime/_forgotten.ts", [library!, what, count]);
    assertStrictEquals(code, 0, stderr);
    const { early, late } = JSON.parse(stdout);
    // Kept, they would have 80,000 mappings, or 200 MB and more.
    assert(late.mappings < 8_000, stdout);
    assert(late.megabytes - early.megabytes < 128, stdout);
  });
}

const PROGRAM = `
  import { wasmtime } from ${JSON.stringify(join(ROOT, "wasmtime.ts"))};
  const engine = wasmtime({ library: ${JSON.stringify(library)}, deadlines: true });
  const code = Uint8Array.from(atob("AGFzbQEAAAABBAFgAAADAgEABwgBBHNwaW4AAAoJAQcAA0AMAAsL"), (c) => c.charCodeAt(0));
  const { exports } = engine.instantiate(await engine.compile(code), {}, { deadlineMs: 30 });
  try { exports.spin(); } catch (error) { console.log(error.code); }
`;

test("a program with a deadline ends by itself", native, () =>
  inDirectory((directory) => {
    const path = join(directory, "program.mjs");
    writeFileSync(path, PROGRAM);
    const [command = "", ...args] = runtimes()[thisRuntime()]!;
    const { status, stdout } = spawnSync(command, [...args, path], { encoding: "utf8", timeout: 30_000, cwd: ROOT });
    assertEquals([status, stdout.trim()], [0, "DEADLINE"]);
  }));
