// Where memories, tables, globals and functions live when Wasmtime runs a program: made before anyone knows, shared
// with what it refuses, kept when `register` goes.

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { registered } from "../_register.ts";
import { inDirectory } from "../_tools.ts";
import { codeOf, native } from "../wasmtime/_engine.ts";
import { library } from "../wasmtime/_library.ts";

const options = { ...native, timeout: 60_000 };

/** Wasmtime's exceptions are not those of JavaScript: it loads the first number of a memory, but has a tag. */
const WITH_TAG = [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 2, 0x60, 0, 0, 0x60, 0, 1, 0x7f, 2, 8, 1, 1, 101, 1, 109, 2, 0, 1],
  ...[3, 2, 1, 1, 13, 3, 1, 0, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 0x41, 0, 0x28, 2, 0, 0x0b],
];

const LOADS = `(module (import "e" "m" (memory 1)) (export "m" (memory 0))
  (func (export "f") (result i32) (i32.load (i32.const 0))))`;

/** Runs a text with modules: gives the lines that it printed, as JSON. */
function run(
  text: string,
  codes: Record<string, string | number[]>,
  { minBytes = 0, env = {} }: { minBytes?: number; env?: Record<string, string> } = {},
): Promise<unknown[]> {
  return inDirectory(async (directory) => {
    const declared = await Promise.all(
      Object.entries(codes).map(async ([name, code]) =>
        `const ${name} = Uint8Array.of(${typeof code === "string" ? await codeOf(code) : code});`
      ),
    );
    const head = `${declared.join("\n")}
      const print = (...values) => console.log(JSON.stringify(values));
      const name = (call) => { try { call(); } catch (error) { return error.name; } };
      const instance = (code, imports) => new WebAssembly.Instance(new WebAssembly.Module(code), imports);`;
    const { code, stdout, stderr } = await registered({ "a.mjs": `${head}\n${text}` }, {
      WASM_CACHE_ENGINE: "wasmtime",
      WASM_CACHE_WASMTIME: library!,
      WASM_CACHE_DIR: directory,
      WASM_CACHE_MIN_BYTES: `${minBytes}`,
      ...env,
    });
    assertEquals(code, 0, stderr);
    return stdout.trim().split("\n").map((line) => JSON.parse(line));
  });
}

test("a memory goes where it is first used", options, async () => {
  const text = `
    const first = new WebAssembly.Memory({ initial: 1 });
    const refused = instance(WITH_TAG, { e: { m: first } });
    new Int32Array(first.buffer)[0] = 5;
    // Its memory is the runtime's by now, so the module is too.
    const follows = instance(LOADS, { e: { m: first } });
    print(refused.exports.f(), follows.exports.f(), follows.exports.m === first);

    const second = new WebAssembly.Memory({ initial: 1 });
    new Int32Array(second.buffer)[0] = 6;
    const native = instance(LOADS, { e: { m: second } });
    print(native.exports.f(), native.exports.m === second, second.grow(1), second.buffer.byteLength);
    print(name(() => instance(WITH_TAG, { e: { m: second } })), name(() => instance(WITH_TAG, native.exports)));

    const third = new WebAssembly.Memory({ initial: 1 });
    print(instance(LOADS, { e: { m: third } }).exports.f(), third.buffer.byteLength);
    print(name(() => instance(LOADS, { e: { m: new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }) } })));`;
  assertEquals(await run(text, { LOADS, WITH_TAG }), [
    [5, 5, true],
    [6, true, 1, 131072],
    ["LinkError", "TypeError"],
    [0, 65536],
    ["LinkError"],
  ]);
});

test("tables and globals take what they hold along", options, async () => {
  const uses = `(module (import "e" "t" (table 2 funcref)) (import "e" "g" (global $g (mut i64)))
    (import "e" "k" (global $k i32)) (type $f (func (result i32))) (export "g" (global $g))
    (func (export "call") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))
    (func (export "k") (result i32) (global.get $k)) (func (export "add")
      (global.set $g (i64.add (global.get $g) (i64.const 1)))))`;
  const seven = `(module (func (export "f") (result i32) (i32.const 7)))`;
  const text = `
    const small = instance(SEVEN).exports.f;
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 2 });
    table.set(1, small);
    const global = new WebAssembly.Global({ value: "i64", mutable: true }, 40n);
    global.value++;
    const constant = new WebAssembly.Global({ value: "i32" }, 9);
    const { exports } = instance(USES, { e: { t: table, g: global, k: constant } });
    exports.add();
    print(exports.call(1), table.get(1) === small, table.get(0), String(global.value), exports.g === global, exports.k());
    table.set(0, exports.k);
    print(exports.call(0), table.get(0) === exports.k, table.length);
    const other = new WebAssembly.Table({ element: "anyfunc", initial: 1 }, exports.k);
    print(other.get(0) === exports.k, name(() => other.set(0, () => {})));`;
  const expected = [[7, true, null, "42", true, 9], [9, true, 2], [true, "TypeError"]];
  assertEquals(await run(text, { USES: uses, SEVEN: seven }), expected);
});

test("functions of small modules, which the runtime compiles, can be put into tables", options, async () => {
  const large = `(module (table (export "t") 1 funcref) (type $f (func (param i32 i64) (result f64)))
    (func (export "call") (param i32) (result f64) (call_indirect (type $f) (local.get 0) (i64.const 3) (i32.const 0)))
    (memory 1) (data (i32.const 0) "${"a".repeat(5000)}"))`;
  const helper = `(module (import "e" "f" (func $f (param i32 i64) (result f64))) (export "f" (func $f)))`;
  const text = `
    const { exports } = instance(LARGE);
    const f = instance(HELPER, { e: { f: (a, b) => a + Number(b) + 0.5 } }).exports.f;
    exports.t.set(0, f);
    print(exports.call(4), exports.t.get(0) === f);
    exports.t.set(0, null);
    print(name(() => exports.call(4)), name(() => exports.t.set(0, () => {})));`;
  const expected = [[7.5, true], ["RuntimeError", "TypeError"]];
  assertEquals(await run(text, { LARGE: large, HELPER: helper }, { minBytes: 4096 }), expected);
});

test("what an instance exports looks as the runtime's does", options, async () => {
  const code =
    `(module (func $hidden) (func (export "b") (param i32 i32)) (func (export "a")) (memory (export "m") 1))`;
  const passes = `(module (import "e" "b" (func $b (param i32 i32))) (export "c" (func $b)))`;
  const text = `
    const made = await WebAssembly.instantiate(CODE);
    const { a, b, m } = made.instance.exports;
    print(Object.keys(made.instance.exports), Object.isFrozen(made.instance.exports), a.name, b.name, b.length);
    print(Object.getPrototypeOf(m) === WebAssembly.Memory.prototype, Object.getPrototypeOf(made.instance.exports));
    class Mine extends WebAssembly.Instance {}
    print(new Mine(made.module) instanceof Mine, new Mine(made.module).exports.a.name);
    print(instance(PASSES, { e: made.instance.exports }).exports.c === b);`;
  const expected = [[["b", "a", "m"], true, "2", "1", 2], [true, null], [true, "2"], [true]];
  assertEquals(await run(text, { CODE: code, PASSES: passes }), expected);
});

test("what Wasmtime has made goes on working when register has gone", options, async () => {
  const text = `
    import { register, unregister } from ${JSON.stringify(new URL("../../register.ts", import.meta.url).href)};
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(LOADS);
    const { exports } = new WebAssembly.Instance(module, { e: { m: memory } });
    unregister();
    new Int32Array(memory.buffer)[0] = 3;
    print(exports.f(), new WebAssembly.Instance(module, { e: { m: memory } }).exports.f());
    const own = new WebAssembly.Module(LOADS);
    print(structuredClone(own) instanceof WebAssembly.Module, WebAssembly.Module.exports(module).length);
    print(new WebAssembly.Instance(own, { e: { m: new WebAssembly.Memory({ initial: 1 }) } }).exports.f());
    register();
    print(name(() => structuredClone(new WebAssembly.Module(LOADS))));`;
  assertEquals(await run(text, { LOADS }), [[3, 3], [true, 2], [0], ["DataCloneError"]]);
});

test("what waits for promises is left to the runtime", options, async () => {
  const code = `(module (import "e" "f" (func $f (result i32))) (export "f" (func $f))
    (func (export "g") (result i32) (i32.add (call $f) (i32.const 1))))`;
  const text = `
    const { exports } = instance(CODE, { e: { f: new WebAssembly.Suspending(() => Promise.resolve(5)) } });
    print(await WebAssembly.promising(exports.g)());
    const { g } = instance(CODE, { e: { f: () => Promise.resolve(5) } }).exports;
    print(name(() => g()));`;
  assertEquals(await run(text, { CODE: code }), [[6], ["TypeError"]]);
});

test("a strict cache without its secret compiles nothing by Wasmtime either", options, async () => {
  const env = { WASM_CACHE_STRICT: "1", WASM_CACHE_SECRET_FILE: "/none" };
  const text = `print(name(() => new WebAssembly.Module(LOADS)));
    print(await WebAssembly.compile(LOADS).catch(({ code }) => code));`;
  assertEquals(await run(text, { LOADS }, { env }), [["CacheError"], ["IO"]]);
});

test("entries are signed and read as the variables say", options, () =>
  inDirectory(async (directory) => {
    const text = `new WebAssembly.Module(Uint8Array.of(${await codeOf(LOADS)}));`;
    const from = async (env: Record<string, string>) => {
      const wasmtime = { WASM_CACHE_ENGINE: "wasmtime", WASM_CACHE_WASMTIME: library!, WASM_CACHE_DIR: directory };
      const ended = await registered({ "a.mjs": text }, { ...wasmtime, WASM_CACHE_MIN_BYTES: "0", ...env });
      assertEquals(ended.code, 0, ended.stderr);
      return ended.from;
    };
    assertEquals(await from({ WASM_CACHE_READ_ONLY: "1" }), ["compiled"]);
    assertEquals(await from({}), ["compiled"]);
    assertEquals(await from({ WASM_CACHE_READ_ONLY: "1" }), ["disk"]);
    const secret = { WASM_CACHE_SECRET_FILE: new URL("../../deno.json", import.meta.url).pathname };
    assertEquals(await from(secret), ["recompiled"]);
    assertEquals(await from(secret), ["disk"]);
  }));
