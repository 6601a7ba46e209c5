// get and getSync: what they share, what they promise when they end.

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type Engine, get, getSync, hostEngine } from "@wasm/module-cache";
import { readdirSync, rmSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  bytes,
  EMPTY_MODULE,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  payloadOf,
  TextEngine,
  type TextModule,
} from "./_tools.ts";

type Get = <M>(engine: Engine<M>, code: Uint8Array, directory: string | URL) => Promise<M>;

function bothCalls(name: string, body: (get: Get, directory: string) => Promise<void>): void {
  test(`${name}, async`, () => inDirectory((directory) => body(get, directory)));
  // deno-lint-ignore require-await -- a call that throws must reject here
  test(`${name}, sync`, () => inDirectory((directory) => body(async (...given) => getSync(...given), directory)));
}

bothCalls("get compiles once and remembers for the process", async (get, directory) => {
  const engine = new TextEngine();
  const first = await get(engine, bytes("hello"), directory);
  assertStrictEquals(await get(engine, bytes("hello"), directory), first);
  assertStrictEquals(await get(hitsOnly(engine), bytes("hello"), directory), first);
  assertStrictEquals(engine.compiles, 1);
});

bothCalls("get has written the entry when it ends, with either kind of engine", async (get, directory) => {
  await get(new TextEngine(), bytes("hello"), directory);
  assertEquals(payloadOf(onlyEntry(directory)), bytes("artifact of hello"));
  rmSync(onlyEntry(directory));
  await get(hostEngine(), EMPTY_MODULE, directory);
  assertEquals(payloadOf(onlyEntry(directory)), EMPTY_MODULE);
});

bothCalls("get keeps directories and engine ids apart", async (get, directory) => {
  const [one, other] = [new TextEngine("one"), new TextEngine("other")];
  const modules = new Set<TextModule>();
  for (const engine of [one, other]) {
    for (const folder of ["a", "b"]) modules.add(await get(engine, bytes("hello"), `${directory}/${folder}`));
  }
  assertEquals([modules.size, one.compiles, other.compiles, entriesIn(directory).length], [4, 2, 2, 4]);
});

bothCalls("get takes a file URL for the same directory as its path", async (get, directory) => {
  const engine = new TextEngine();
  const first = await get(engine, bytes("hello"), pathToFileURL(directory));
  assertStrictEquals(await get(engine, bytes("hello"), directory), first);
  assertStrictEquals(entriesIn(directory).length, 1);
});

bothCalls("get takes the names of one directory for one", async (get, directory) => {
  const first = await get(new TextEngine(), bytes("hello"), directory);
  for (const name of [`${directory}/`, `${directory}/.`, `${directory}//`, `${directory}/none/..`]) {
    assertStrictEquals(await get(new TextEngine(), bytes("hello"), name), first, name);
  }
  assertEquals(readdirSync(directory).sort(), ["CACHEDIR.TAG", "v1"]);
});

bothCalls("get compiles with the engine it was given", async (get, directory) => {
  await get(new TextEngine(), bytes("one"), directory);
  const engine = new TextEngine();
  await get(engine, bytes("two"), directory);
  assertStrictEquals(engine.compiles, 1);
});

test("get and getSync share one memory", async () => {
  await inDirectory(async (directory) => {
    const engine = new TextEngine();
    assertStrictEquals(getSync(engine, bytes("hello"), directory), await get(engine, bytes("hello"), directory));
  });
});

bothCalls("get says what is wrong with its arguments", async (get, directory) => {
  const engine = hostEngine();
  const wrong: [unknown, unknown, unknown, string][] = [
    [undefined, EMPTY_MODULE, directory, "id"],
    [{ ...engine, id: "" }, EMPTY_MODULE, directory, "id"],
    [{ id: "x", compile: () => 1, serialize: () => undefined }, EMPTY_MODULE, directory, "deserialize"],
    [engine, "text", directory, "a string"],
    [engine, EMPTY_MODULE, undefined, "directory"],
    [engine, EMPTY_MODULE, "", "directory"],
    [engine, EMPTY_MODULE, 7, "directory"],
    [engine, EMPTY_MODULE, new URL("https://example.com/"), "file:"],
  ];
  for (const [engine, code, directory, said] of wrong) {
    await assertRejects(() => get(engine as Engine, code as Uint8Array, directory as string), TypeError, said);
  }
  assertThrows(() => getSync(engine, "text" as unknown as Uint8Array, directory), TypeError);
});
