// What is read of a module's code: functions, exports, imports that link.

import { assert, assertEquals, assertGreater, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { PROBE } from "../../src/v8/proof.ts";
import { isWorth, outlineOf } from "../../src/v8/wasm.ts";
import { bytes, realModule } from "../_tools.ts";
import { PADDED } from "../_v8_tools.ts";

test("an outline tells functions, the shortest export and imports that link", () => {
  for (const name of ["sqlite", "esbuild", "oxipng", "oxipngThreads"] as const) {
    const code = realModule(name);
    const { functions, imports, shortestExport, hasStart } = outlineOf(code);
    const module = new WebAssembly.Module(code);
    assertGreater(functions, 100);
    assert(WebAssembly.Module.exports(module).some(({ name, kind }) => name === shortestExport && kind === "function"));
    assertStrictEquals(hasStart, false);
    assertStrictEquals(typeof new WebAssembly.Instance(module, imports!()).exports[shortestExport!], "function");
  }
  const { functions, hasStart, shortestExport, imports } = outlineOf(PROBE);
  assertEquals([functions, hasStart, shortestExport, Object.keys(imports!())], [2, false, "add", []]);
});

test("the imports that an outline makes do not reach what all objects have", () => {
  const name = (text: string) => [text.length, ...bytes(text)];
  const section = [1, ...name("constructor"), ...name("keys"), 0, 0];
  const code = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, section.length, ...section],
    ...[3, 2, 1, 0, 7, 5, 1, 1, 97, 0, 1, 10, 4, 1, 2, 0, 0x0b],
  ]);
  const { keys } = Object;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code), outlineOf(code).imports!());
  assertEquals([Object.keys === keys, Object.keys(instance.exports)], [true, ["a"]]);
});

test("an outline reads past imports that it cannot make", () => {
  const code = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f],
    // A memory of 64 bits, a global of 128, a table of references to a type, a function.
    ...[2, 25, 4, 1, 97, 1, 97, 2, 4, 1, 1, 97, 1, 98, 3, 0x7b, 0, 1, 97, 1, 99, 1, 0x63, 0, 0, 1, 1, 97, 1, 100, 0, 0],
    ...[3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 1, 10, 6, 1, 4, 0, 0x41, 1, 0x0b],
  ]);
  const { functions, shortestExport, imports } = outlineOf(code);
  assertEquals([functions, shortestExport, imports], [1, "f", undefined]);
});

test("a module that is tiny or exports no function is not worth an artifact", () => {
  const memoryOnly = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 1, ...PADDED.subarray(PROBE.length));
  assertEquals([isWorth(PROBE), isWorth(PADDED), isWorth(memoryOnly)], [false, true, false]);
});
