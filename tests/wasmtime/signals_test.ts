// Traps of Wasmtime beside those of the runtime's own engine: each has its own signal handlers.

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { runScript, runtimes, thisRuntime } from "../_tools.ts";
import { codeOf, engineWith, native, trapOf } from "./_engine.ts";
import { library } from "./_library.ts";

const TEXT = `(module (memory 1)
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func (export "unreachable") (param i32) unreachable)
  (func $r (export "recurse") (param i32) (result i32)
    (i32.add (call $r (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))`;

type Calls = Record<string, (given: number) => unknown>;

/** Traps by all ways, and counts what came of it. */
function trapAll(who: string, exports: Calls, told: Record<string, number>): void {
  for (const [name, given] of [["load", -4], ["divide", 0], ["unreachable", 0]] as const) {
    const outcome = trapOf(() => exports[name]!(given));
    const key = `${who} ${name} ${outcome instanceof Error ? outcome.constructor.name : outcome ?? "RuntimeError"}`;
    told[key] = (told[key] ?? 0) + 1;
  }
}

for (const isNativeFirst of [true, false]) {
  test(
    `traps of both engines are told apart, ${isNativeFirst ? "Wasmtime's" : "the runtime's"} first`,
    native,
    async () => {
      const code = await codeOf(TEXT);
      const engine = engineWith();
      const byWasmtime = engine.instantiate(await engine.thorough!.compile(code)).exports as Calls;
      const own = new WebAssembly.Instance(new WebAssembly.Module(code)).exports as Calls;
      const order: [string, Calls][] = [["wasmtime", byWasmtime], ["own", own]];
      if (!isNativeFirst) order.reverse();
      const told: Record<string, number> = {};
      for (const [who, exports] of order) for (let i = 0; i < 50; i++) trapAll(who, exports, told);
      for (let i = 0; i < 50; i++) for (const [who, exports] of order) trapAll(who, exports, told);
      // Hot functions are compiled anew.
      for (let i = 0; i < 300_000; i++) own.load!(i & 1023);
      for (let i = 0; i < 50; i++) for (const [who, exports] of order) trapAll(who, exports, told);
      assertEquals(told, {
        "wasmtime load MEMORY_OUT_OF_BOUNDS": 150,
        "wasmtime divide INTEGER_DIVISION_BY_ZERO": 150,
        "wasmtime unreachable UNREACHABLE": 150,
        "own load RuntimeError": 150,
        "own divide RuntimeError": 150,
        "own unreachable RuntimeError": 150,
      });
      assertEquals(trapOf(() => byWasmtime.recurse!(0)), "STACK_OVERFLOW");
      assertEquals(trapOf(() => own.recurse!(0)) instanceof RangeError, true);
      assertEquals([byWasmtime.divide!(1), own.divide!(1)], [1, 1]);
    },
  );
}

test("workers have engines of their own, with deadlines", { ...native, timeout: 60_000 }, async () => {
  // A program of its own: Deno's test runner checks the types of each worker's files, while its parent waits.
  const command = runtimes()[thisRuntime()]!;
  const { code, stderr, stdout } = await runScript(command, "tests/wasmtime/_workers.ts", [library!]);
  assertEquals(code, 0, stderr);
  assertEquals(JSON.parse(stdout), Array(3).fill([42, "DEADLINE", "STACK_OVERFLOW", "MEMORY_OUT_OF_BOUNDS"]));
});
