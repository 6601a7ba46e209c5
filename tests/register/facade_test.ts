// Whole programs on Wasmtime: the namespace is replaced, glue does not notice.

import { assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { registered } from "../_register.ts";
import { inDirectory, runtimes, thisRuntime } from "../_tools.ts";
import { native } from "../wasmtime/_engine.ts";
import { library } from "../wasmtime/_library.ts";
import { PACKAGES, registered as putBehind, runProgram } from "../packages/packages.ts";

const ENV = { WASM_CACHE_ENGINE: "wasmtime", WASM_CACHE_WASMTIME: library ?? "", WASM_CACHE_MIN_BYTES: "8" };

const HEAD = `const CODE = Uint8Array.from(atob("${
  // (module (import "e" "m" (memory 1)) (func (export "f") (result i32) (i32.load (i32.const 0))))
  "AGFzbQEAAAABBQFgAAF/AggBAWUBbQIAAQMCAQAHBQEBZgAACgkBBwBBACgCAAs="}"), (c) => c.charCodeAt(0));`;

test(
  "the namespace's classes know native objects and the runtime's own",
  native,
  () =>
    inDirectory(async (directory) => {
      const text = `${HEAD}
      const memory = new WebAssembly.Memory({ initial: 1 });
      new Int32Array(memory.buffer)[0] = 42;
      const { module, instance } = await WebAssembly.instantiate(CODE, { e: { m: memory } });
      const shared = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
      console.log(JSON.stringify([
        instance.exports.f(),
        module instanceof WebAssembly.Module, instance instanceof WebAssembly.Instance,
        memory instanceof WebAssembly.Memory, shared instanceof WebAssembly.Memory, {} instanceof WebAssembly.Memory,
        Object.prototype.toString.call(memory), WebAssembly.Module.exports(module).length,
        new WebAssembly.Instance(new WebAssembly.Module(CODE), { e: { m: memory } }).exports.f(),
        WebAssembly.Memory.name, memory.constructor === WebAssembly.Memory,
      ]));
      try { structuredClone(module); } catch (error) { console.log(error.name); }
      try { new WebAssembly.Module(new Uint8Array(9)); } catch (error) { console.log(error instanceof WebAssembly.CompileError); }`;
      const { code, from, stderr, stdout } = await registered({ "a.mjs": text }, { ...ENV, WASM_CACHE_DIR: directory });
      assertStrictEquals(code, 0, stderr);
      const [first, clone, error] = stdout.trim().split("\n");
      const memory = "[object WebAssembly.Memory]";
      assertEquals(JSON.parse(first!), [42, true, true, true, true, false, memory, 1, 42, "Memory", true]);
      assertEquals([clone, error, from], ["DataCloneError", "true", ["compiled", "memory"]]);
      const again = await registered({ "a.mjs": text }, { ...ENV, WASM_CACHE_DIR: directory });
      assertEquals([again.stdout, again.from], [stdout, ["disk", "memory"]]);
    }),
);

test("without the library the program runs on the runtime's own engine", native, async () => {
  const text =
    `console.log(new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)) instanceof WebAssembly.Module);`;
  const { code, stderr, stdout } = await registered({ "a.mjs": text }, { ...ENV, WASM_CACHE_WASMTIME: "/none" });
  assertEquals([code, stdout.trim()], [0, "true"]);
  assertMatch(stderr, /Wasmtime engine is not available: /);
});

const RUN = [
  "esbuild-wasm",
  "sql.js",
  "@sqlite.org/sqlite-wasm",
  "quickjs-emscripten",
  "@resvg/resvg-wasm",
  "@swc/wasm",
  "web-tree-sitter",
];

for (const each of PACKAGES.filter(({ name }) => RUN.includes(name))) {
  test(
    `${each.name} does on Wasmtime what it does without`,
    { ...native, timeout: 120_000 },
    () =>
      inDirectory(async (directory) => {
        const runtime = thisRuntime();
        const command = runtimes()[runtime]!;
        const plain = await runProgram(each, { runtime, command });
        const { env, ...preload } = putBehind(directory, "wasmtime");
        const options = { ...preload, env: { ...env, WASM_CACHE_WASMTIME: library! }, runtime, command };
        const cold = await runProgram(each, options);
        const warm = await runProgram(each, options);
        assertEquals([cold.stdout, warm.stdout], [plain.stdout, plain.stdout]);
        assertEquals([cold.lookups[0]?.from, warm.lookups[0]?.from], ["compiled", "disk"]);
      }),
  );
}
