// Prepared engines: the step runs once, its output is kept, its faults are the caller's.

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type Engine, hostEngine, ModuleCache, prepared, type PrepareStep } from "@wasm/module-cache";
import { test } from "node:test";
import { bothWays, bytes, hitsOnly, inDirectory, onlyEntry, payloadOf, text, TextEngine } from "../_tools.ts";

/** A step that counts its runs and puts a text in brackets. */
class Brackets implements PrepareStep {
  readonly id: string;
  runs = 0;

  constructor(id = "brackets-1") {
    this.id = id;
  }

  prepare(code: Uint8Array): Uint8Array {
    this.runs++;
    return bytes(`[${text(code)}]`);
  }
}

/** The same step, only by promises. */
function slow(step: PrepareStep): PrepareStep {
  return { id: step.id, prepare: async (code) => await step.prepare(code) };
}

bothWays("a prepared engine runs its step once, and keeps the output", (resolve) =>
  inDirectory(async (directory) => {
    const [step, engine] = [new Brackets(), new TextEngine()];
    const cache = new ModuleCache({ engine: prepared(engine, step), directory, strict: true });
    const cold = await resolve(cache, bytes("a"));
    assertEquals([cold.from, cold.module.text, step.runs, engine.compiles], ["compiled", "[a]", 1, 1]);
    assertEquals(text(payloadOf(onlyEntry(directory))), "[a]");
    cache.clearMemory();
    const warm = await resolve(cache, bytes("a"));
    assertEquals([warm.from, warm.module.text, step.runs, engine.compiles], ["disk", "[a]", 1, 2]);
  }));

bothWays("a prepared engine's hit needs no step", (resolve) =>
  inDirectory(async (directory) => {
    const make = () => prepared(new TextEngine(), new Brackets());
    await new ModuleCache({ engine: make(), directory, strict: true }).resolve(bytes("a"));
    const warm = await resolve(new ModuleCache({ engine: hitsOnly(make()), directory }), bytes("a"));
    assertEquals([warm.from, warm.module.text], ["disk", "[a]"]);
  }));

bothWays(
  "an error of the step reaches the caller untouched and is not cached",
  (resolve) =>
    inDirectory(async (directory) => {
      const failure = new RangeError("out of gas");
      let fails = true;
      const prepare = (code: Uint8Array) => {
        if (fails) throw failure;
        return code;
      };
      const cache = new ModuleCache({ engine: prepared(new TextEngine(), { id: "gas", prepare }), directory });
      assertStrictEquals(await resolve(cache, bytes("a")).catch((error) => error), failure);
      fails = false;
      assertStrictEquals((await resolve(cache, bytes("a"))).from, "compiled");
    }),
);

bothWays("another step, another entry", (resolve) =>
  inDirectory(async (directory) => {
    const engines = [
      prepared(new TextEngine(), new Brackets("a")),
      prepared(new TextEngine(), new Brackets("b")),
      prepared(new TextEngine("text-2"), new Brackets("a")),
      prepared(prepared(new TextEngine(), new Brackets("b")), new Brackets("a")),
      prepared(new TextEngine(), new Brackets('a", prepared("b')),
    ];
    const found = [];
    for (const engine of engines) found.push((await resolve(new ModuleCache({ engine, directory }), bytes("x"))).from);
    assertEquals(found, engines.map(() => "compiled"));
  }));

bothWays("steps of a prepared engine that is prepared again are joined", (resolve) =>
  inDirectory(async (directory) => {
    const braces: PrepareStep = { id: "braces", prepare: (code) => bytes(`{${text(code)}}`) };
    const brackets = new Brackets();
    const engine = prepared(prepared(new TextEngine(), brackets), braces);
    const cache = new ModuleCache({ engine, directory, strict: true });
    assertEquals((await resolve(cache, bytes("a"))).module.text, "[{a}]");
    assertEquals(text(payloadOf(onlyEntry(directory))), "[{a}]");
    cache.clearMemory();
    assertEquals([(await resolve(cache, bytes("a"))).from, brackets.runs], ["disk", 1]);
  }));

bothWays("an output that the step changes later is kept as it was", (resolve) =>
  inDirectory(async (directory) => {
    const shared = bytes("--");
    const inner: Engine<string> = {
      id: "reads late",
      compile: (code) => {
        shared.fill(33);
        return text(code);
      },
      serialize: () => undefined,
      deserialize: (artifact) => text(artifact),
    };
    const engine = prepared(inner, { id: "shares", prepare: () => shared });
    assertEquals((await resolve(new ModuleCache({ engine, directory }), bytes("a"))).module, "--");
    assertEquals(text(payloadOf(onlyEntry(directory))), "--");
  }));

test("a step that gives promises serves synchronous lookups only from the disk", () =>
  inDirectory(async (directory) => {
    const engine = prepared(new TextEngine(), slow(new Brackets()));
    const cache = new ModuleCache({ engine, directory, strict: true });
    assertThrows(() => cache.resolveSync(bytes("a")), TypeError, "Cannot prepare synchronously");
    await cache.resolve(bytes("a"));
    cache.clearMemory();
    assertEquals(cache.resolveSync(bytes("a")).from, "disk");
    assertThrows(() => cache.resolveSync(bytes("b")), TypeError);
  }));

test("a step with a synchronous twin serves both kinds of lookup", () =>
  inDirectory(async (directory) => {
    const step: PrepareStep = { ...slow(new Brackets()), prepareSync: (code) => bytes(`[${text(code)}]`) };
    const cache = new ModuleCache({ engine: prepared(new TextEngine(), step), directory, strict: true });
    assertEquals(cache.resolveSync(bytes("a")).module.text, "[a]");
    assertEquals((await cache.resolve(bytes("b"))).module.text, "[b]");
  }));

test("a prepared engine prepares again where its output was not asked for at once", async () => {
  const step = new Brackets();
  const engine = prepared(new TextEngine(), step);
  const code = bytes("a");
  const module = await engine.compile(code);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(text((await engine.serialize(module, code))!), "[a]");
  assertEquals(step.runs, 2);
});

test("a step that gives no bytes is told so", async () => {
  const step = { id: "none", prepare: () => undefined } as unknown as PrepareStep;
  const cache = new ModuleCache({ engine: prepared(hostEngine(), step) });
  await assertRejects(() => cache.resolve(bytes("a")), TypeError, 'Cannot use output of step "none"');
});

test("prepared refuses what is no step or no engine", () => {
  const prepare = (code: Uint8Array) => code;
  const wrong: unknown[] = [
    undefined,
    null,
    { id: "", prepare },
    { id: "\ud800", prepare },
    { id: 1, prepare },
    { id: "a" },
    { id: "a", prepare, prepareSync: 1 },
  ];
  for (const step of wrong) assertThrows(() => prepared(hostEngine(), step as PrepareStep), TypeError);
  assertThrows(() => prepared({} as Engine, { id: "a", prepare }), TypeError);
});
