// The calls of the `WebAssembly` namespace over a cache.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { ModuleCache, prepared } from "@wasm/module-cache";
import { test } from "node:test";
import { PROBE } from "../../src/v8/proof.ts";
import { bytes, EMPTY_MODULE, TextEngine } from "../_tools.ts";
import { options, response } from "./_responses.ts";

/** A function that is imported and one that calls it. */
const IMPORTING = Uint8Array.from([
  ...[...EMPTY_MODULE, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 97, 1, 98, 0, 0, 3, 2, 1, 0],
  ...[7, 5, 1, 1, 99, 0, 1, 10, 6, 1, 4, 0, 0x10, 0, 0x0b],
]);

test("compile options go past the cache, to the runtime", options, async () => {
  const cache = new ModuleCache();
  const first = await cache.compile(PROBE, { builtins: ["js-string"] });
  assert(first instanceof WebAssembly.Module);
  assert(cache.compileSync(PROBE, { builtins: [] }) !== first);
  assertStrictEquals((await cache.instantiate(PROBE, {}, { builtins: [] })).module instanceof WebAssembly.Module, true);
  assert(await cache.compileStreaming(response(PROBE), { builtins: [] }) instanceof WebAssembly.Module);
  await assertRejects(() => cache.compile(bytes("no wasm"), { builtins: [] }), WebAssembly.CompileError);
  assertEquals([cache.stats().compiled, cache.stats().memoryHits], [0, 0]);
  assertStrictEquals(await cache.compile(PROBE, undefined), cache.compileSync(PROBE));
});

test("an engine that takes no compile options says so", options, async () => {
  const step = { id: "same", prepare: (code: Uint8Array) => code };
  for (const engine of [prepared(new TextEngine(), step), new TextEngine()]) {
    const cache = new ModuleCache<unknown>({ engine });
    await assertRejects(() => cache.compile(PROBE, {}), TypeError, "takes none");
    assertThrows(() => cache.compileSync(PROBE, {}), TypeError, "takes none");
  }
});

test("bytes are instantiated to a module and an instance, a module to an instance", options, async () => {
  const cache = new ModuleCache();
  const { module, instance } = await cache.instantiate(PROBE);
  const { add } = instance.exports as { add(a: number, b: number): number };
  assertEquals([add(1, 2), module], [3, await cache.compile(PROBE)]);
  assert(await cache.instantiate(module) instanceof WebAssembly.Instance);
  let calls = 0;
  const called = await cache.instantiate(IMPORTING, { a: { b: () => calls++ } });
  (called.instance.exports as { c(): void }).c();
  assertStrictEquals(calls, 1);
});

test("what cannot be instantiated is refused as the runtime does", options, async () => {
  const cache = new ModuleCache();
  const module = await cache.compile(IMPORTING);
  for (const source of [IMPORTING, module] as (typeof IMPORTING)[]) {
    await assertRejects(() => cache.instantiate(source, { a: { b: 1 as never } }), WebAssembly.LinkError);
    await assertRejects(() => cache.instantiate(source), TypeError);
    await assertRejects(() => cache.instantiate(source, 1 as never), TypeError);
    await assertRejects(() => cache.instantiate(source, null as never), TypeError);
  }
  await assertRejects(() => cache.instantiate(bytes("no wasm")), WebAssembly.CompileError);
  await assertRejects(() => cache.instantiate("no bytes" as never), TypeError);
});
