// What modules and instances do: as the standard's own, on both compilers.

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { NativeInstance, NativeModule } from "@wasm/module-cache/wasmtime";
import { test } from "node:test";
import { engineContract } from "../contract/engine.ts";
import { EMPTY_MODULE, realModule } from "../_tools.ts";
import { codeOf, engineWith, instanceOf, native, trapOf } from "./_engine.ts";
import { skip } from "./_library.ts";

engineContract({
  name: "Wasmtime",
  skip,
  make: () => engineWith(),
  code: () => realModule("oxipng"),
  bad: () => Uint8Array.of(1, 2, 3),
  ask: (module) => NativeModule.exports(module),
});

const MIXED = `(module
  (import "e" "log" (func $log (param i32 i64 f32 f64) (result f64)))
  (memory (export "memory") 1 4) (global (export "global") (mut i64) (i64.const 5))
  (table (export "table") 3 funcref) (elem (i32.const 1) $add)
  (func $add (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "mix") (param i32 i64 f32 f64) (result f64)
    (call $log (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "two") (param i64) (result i64 f32) (local.get 0) (f32.const 1.5))
  (func (export "five") (param i32 i32 i32 i32 i32) (result i32) (local.get 4))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`;

for (const isBest of [true, false]) {
  const by = isBest ? "Cranelift" : "Winch";
  const log = (a: number, b: bigint, c: number, d: number) => a + Number(b) + c + d;

  test(`numbers, results and exports are the standard's, by ${by}`, native, async () => {
    const instance = await instanceOf(MIXED, { imports: { e: { log } }, isBest });
    const { exports } = instance;
    assertInstanceOf(instance, NativeInstance);
    assertEquals(Object.keys(exports), ["memory", "global", "table", "add", "mix", "two", "five", "store", "grow"]);
    assert(Object.isFrozen(exports) && Object.getPrototypeOf(exports) === null);
    assertEquals([exports.add(2, 40), exports.add(-1, "3"), exports.add(2 ** 31, 0), exports.add(1.9)], [
      42,
      2,
      -(2 ** 31),
      1,
    ]);
    assertEquals([exports.mix(1, 2n, 0.5, 0.25), exports.two(-7n), exports.five(1, 2, 3, 4, 5)], [3.75, [-7n, 1.5], 5]);
    assertEquals([exports.add.length, exports.five.length, exports.store(16, 7)], [2, 5, undefined]);
    assertThrows(() => exports.two(1), TypeError);
    assertThrows(() => exports.add(1n, 2), TypeError);
    assertStrictEquals(exports.table.get(1), exports.add);
    assertEquals([exports.table.get(0), exports.table.length, exports.global.value], [null, 3, 5n]);
    exports.global.value = -9n;
    assertEquals([exports.global.value, exports.global.valueOf()], [-9n, -9n]);
  });

  test(`memory that grows within a call leaves no old buffer, by ${by}`, native, async () => {
    let seen: unknown;
    const text = `(module (import "e" "look" (func $look)) (memory (export "memory") 1)
      (func (export "both") (drop (memory.grow (i32.const 1))) (call $look))
      (func (export "grow") (drop (memory.grow (i32.const 1)))))`;
    const look = () => seen = [first.byteLength, exports.memory.buffer.byteLength];
    const { exports } = await instanceOf(text, { imports: { e: { look } }, isBest });
    const first: ArrayBuffer = exports.memory.buffer;
    assertStrictEquals(exports.memory.buffer, first);
    exports.both();
    assertEquals(seen, [0, 2 * 65536]);
    const second: ArrayBuffer = exports.memory.buffer;
    exports.grow();
    assertEquals([second.byteLength, exports.memory.grow(1), exports.memory.buffer.byteLength], [0, 3, 4 * 65536]);
  });

  test(`traps are RuntimeErrors with a code, by ${by}`, native, async () => {
    const { exports } = await instanceOf(
      `(module (memory 1) (table 1 funcref) (type $t (func (param i32)))
      (func (export "unreachable") unreachable)
      (func (export "memory") (drop (i32.load (i32.const 0x7fffffff))))
      (func (export "table") (call_indirect (i32.const 5)))
      (func (export "null") (call_indirect (i32.const 0)))
      (elem declare func $r) (table $two 1 funcref) (elem (table $two) (i32.const 0) func $r)
      (func (export "signature") (call_indirect $two (type $t) (i32.const 1) (i32.const 0)))
      (func (export "divide") (drop (i32.div_s (i32.const 1) (i32.const 0))))
      (func (export "overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
      (func (export "convert") (drop (i32.trunc_f64_s (f64.const nan))))
      (func $r (export "recurse") (call $r)))`,
      { isBest },
    );
    const codes = Object.entries(exports).map(([name, call]) => [name, trapOf(call as () => unknown)]);
    assertEquals(Object.fromEntries(codes), {
      unreachable: "UNREACHABLE",
      memory: "MEMORY_OUT_OF_BOUNDS",
      table: "TABLE_OUT_OF_BOUNDS",
      null: "INDIRECT_CALL_TO_NULL",
      signature: "BAD_SIGNATURE",
      divide: "INTEGER_DIVISION_BY_ZERO",
      overflow: "INTEGER_OVERFLOW",
      convert: "BAD_CONVERSION_TO_INTEGER",
      recurse: "STACK_OVERFLOW",
    });
    assertStrictEquals(trapOf(exports.divide), "INTEGER_DIVISION_BY_ZERO");
  });

  test(`host functions may call in, and what they throw comes out unchanged, by ${by}`, native, async () => {
    const text = `(module (import "e" "f" (func $f (param i32) (result i32)))
      (func (export "run") (param i32 i32) (result i32) (i32.add (call $f (local.get 0)) (local.get 1))))`;
    let depth = 0;
    const f = (n: number): number => {
      depth++;
      return n === 0 ? 0 : exports.run(n - 1, n);
    };
    const { exports } = await instanceOf(text, { imports: { e: { f } }, isBest });
    assertEquals([exports.run(50, 1000), depth], [1000 + 1275, 51]);
    for (const thrown of [new Error("x"), undefined, null, 7, Symbol("s"), new WebAssembly.RuntimeError("own")]) {
      const throwing = await instanceOf(text, {
        imports: {
          e: {
            f: () => {
              throw thrown;
            },
          },
        },
        isBest,
      });
      let caught: unknown = "nothing";
      try {
        throwing.exports.run(1, 1);
      } catch (error) {
        caught = error;
      }
      assertStrictEquals(caught, thrown);
      assertThrows(() => throwing.exports.run(1n, 1), TypeError);
    }
    // A conversion of an argument calls in, too: what is in place already survives.
    assertStrictEquals(exports.run({ valueOf: () => exports.run(0, 3) }, { valueOf: () => exports.run(0, 4) }), 4 + 6);
  });
}

test("a module tells what it imports, exports and has of custom sections", native, async () => {
  const engine = engineWith();
  const code = await codeOf(MIXED);
  const module = await engine.compile(Uint8Array.of(...code, 0, 4, 2, 97, 98, 7, 0, 4, 2, 97, 98, 8));
  assertEquals(NativeModule.imports(module), [{ module: "e", name: "log", kind: "function" }]);
  assertEquals(NativeModule.exports(module)[0], { name: "memory", kind: "memory" });
  const sections = NativeModule.customSections(module, "ab").map((section) => [...new Uint8Array(section)]);
  assertEquals([sections, NativeModule.customSections(module, "none")], [[[7], [8]], []]);
  assertThrows(() => NativeModule.exports({} as NativeModule), TypeError);
  assertThrows(() => new (NativeModule as unknown as new () => unknown)(), TypeError);
  assertThrows(() => structuredClone(module));
});

test("a module that Wasmtime refuses is a CompileError", native, () => {
  const engine = engineWith();
  // A function with a try of the first exceptions.
  const legacy = Uint8Array.of(...EMPTY_MODULE, ...[
    1,
    4,
    1,
    0x60,
    0,
    0,
    3,
    2,
    1,
    0,
    10,
    8,
    1,
    6,
    0,
    6,
    0x40,
    0x19,
    0x0b,
  ]);
  for (const code of [legacy, new Uint8Array(), Uint8Array.of(1, 2, 3)]) {
    assertThrows(() => engine.compile(code), WebAssembly.CompileError);
  }
  assertThrows(() => engine.compile({ length: 2 ** 31 } as never), TypeError);
});

test("imports are checked as the standard says", native, async () => {
  const engine = engineWith();
  const module = await engine.compile(await codeOf(MIXED));
  for (const imports of [undefined, {}, { e: 5 }]) {
    assertThrows(() => engine.instantiate(module, imports as never), TypeError);
  }
  for (const log of [undefined, 5, {}, new engine.Memory({ initial: 1 })]) {
    assertThrows(() => engine.instantiate(module, { e: { log } }), WebAssembly.LinkError);
  }
  assertThrows(() => engine.instantiate({} as NativeModule), TypeError);
  const wants = async (type: string) => await engine.compile(await codeOf(`(module (import "a" "b" ${type}))`));
  const { Global, Memory, Table } = engine;
  const wrong: [string, unknown][] = [
    ["(memory 2)", new Memory({ initial: 1 })],
    ["(memory 1)", new WebAssembly.Memory({ initial: 1 })],
    ["(memory 1 2)", new Memory({ initial: 1 })],
    ["(table 2 funcref)", new Table({ element: "anyfunc", initial: 1 })],
    ["(global i32)", new Global({ value: "i64" }, 1n)],
    ["(global (mut i32))", 5],
    ["(global i64)", 5],
    ["(global i32)", 5n],
  ];
  for (const [type, b] of wrong) {
    const wanted = await wants(type);
    assertThrows(() => engine.instantiate(wanted, { a: { b } }), WebAssembly.LinkError, "", type);
  }
});

test("memories, tables and globals made by the engine are imported, and come out as themselves", native, async () => {
  const engine = engineWith();
  const memory = new engine.Memory({ initial: 1, maximum: 3 });
  const table = new engine.Table({ element: "anyfunc", initial: 2 });
  const global = new engine.Global({ value: "i32", mutable: true }, 7);
  new Uint8Array(memory.buffer)[5] = 77;
  const text = `(module (import "a" "m" (memory 1 3)) (import "a" "t" (table 2 funcref))
    (import "a" "g" (global $g (mut i32))) (import "a" "k" (global $k i64))
    (export "m" (memory 0)) (export "t" (table 0)) (export "g" (global $g))
    (elem (i32.const 1) $f)
    (func $f (export "f") (result i32)
      (global.set $g (i32.add (global.get $g) (i32.wrap_i64 (global.get $k)))) (i32.load8_u (i32.const 5))))`;
  const { exports } = await instanceOf(text, { engine, imports: { a: { m: memory, t: table, g: global, k: 100n } } });
  assertEquals([exports.f(), global.value], [77, 107]);
  assert(exports.m === memory && exports.t === table && exports.g === global);
  assertStrictEquals(table.get(1), exports.f);
  assertStrictEquals((table.get(1) as () => number)(), 77);
  // Of another instance, which then shares all of it.
  const other = await instanceOf(text, { engine, imports: { a: { m: exports.m, t: table, g: global, k: 1n } } });
  assertEquals([other.exports.f(), global.value], [77, 208]);
  assertThrows(() => new engine.Memory({} as never), TypeError);
  assertThrows(() => new engine.Memory({ initial: 2, maximum: 1 }), RangeError);
  assertThrows(() => new engine.Memory({ initial: 1, shared: true } as never), TypeError);
  assertThrows(() => memory.grow(3), RangeError);
  assertThrows(() => table.get(2), RangeError);
  assertThrows(() => table.set(0, () => {}), TypeError);
  assertThrows(() => new engine.Table({ element: "none" as never, initial: 1 }), TypeError);
  assertThrows(() => new engine.Global({ value: "v128" as never }), TypeError);
  assertThrows(() => {
    new engine.Global({ value: "i32" }, 1).value = 2;
  }, TypeError);
});

test("references to values and functions come back as they were", native, async () => {
  const engine = engineWith();
  const { exports } = await instanceOf(
    `(module (table (export "t") 4 externref)
    (global (export "g") (mut externref) (ref.null extern))
    (func (export "id") (param externref) (result externref) (local.get 0))
    (func (export "swap") (param externref externref) (result externref externref) (local.get 1) (local.get 0))
    (func (export "call") (param funcref) (result funcref) (local.get 0)))`,
    { engine },
  );
  const object = {};
  for (const value of [object, undefined, null, 5, "text", Symbol.iterator, 7n, Number.NaN]) {
    assert(Object.is(exports.id(value), value));
    exports.t.set(1, value);
    exports.g.value = value;
    assert(Object.is(exports.t.get(1), value) && Object.is(exports.g.value, value));
  }
  assertEquals([exports.swap("a", object), exports.t.get(0)], [[object, "a"], null]);
  assertStrictEquals(exports.call(exports.id), exports.id);
  assertStrictEquals(exports.call(null), null);
  assertThrows(() => exports.call(() => {}), TypeError);
  // A function of another store is called through JavaScript.
  const other = await instanceOf(`(module (func (export "seven") (result i32) (i32.const 7)))`, { engine });
  assertStrictEquals((exports.call(other.exports.seven) as () => number)(), 7);
});

test("what cannot be done is said by name", native, async () => {
  const engine = engineWith();
  const asyncHost = await instanceOf(
    `(module (import "e" "f" (func $f (result i32))) (func (export "run") (result i32) (call $f)))`,
    { engine, imports: { e: { f: () => Promise.resolve(1) } } },
  );
  assertThrows(() => asyncHost.exports.run(), TypeError, "async");
  const v128 = await instanceOf(`(module (func (export "f") (param v128)))`, { engine });
  assertThrows(() => v128.exports.f(1), TypeError, "externref");
  // A memory that threads share: (memory (export "m") 1 1 shared).
  const shared = Uint8Array.of(...EMPTY_MODULE, ...[5, 4, 1, 3, 1, 1, 7, 5, 1, 1, 109, 2, 0]);
  assertThrows(() => engine.instantiate(engine.compile(shared) as NativeModule), Error, "shared");
});
