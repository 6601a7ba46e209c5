// Where machine code comes from: at once, better in the background, from the directory on all runtimes.

import { assert, assertEquals, assertNotEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ModuleCache } from "@wasm/module-cache";
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import {
  bothWays,
  entriesIn,
  inDirectory,
  onlyEntry,
  payloadOf,
  realModule,
  runScript,
  runtimes,
  thisRuntime,
} from "../_tools.ts";
import { settled, until } from "../_v8_tools.ts";
import { walk } from "../_walk.ts";
import { engineWith, native } from "./_engine.ts";
import { library } from "./_library.ts";

bothWays("the model's walk with Wasmtime", (resolve) => walk(engineWith(), realModule("oxipng"), resolve), native);

interface Told {
  readonly from: string;
  readonly answer: number;
  readonly isBest: boolean;
}

/** Runs a program that looks up one module and calls it. */
async function program(directory: string, ...options: string[]): Promise<Told> {
  const command = runtimes()[thisRuntime()]!;
  const { code, stderr, stdout } = await runScript(command, "tests/wasmtime/_program.ts", [
    directory,
    library!,
    ...options,
  ]);
  assertStrictEquals(code, 0, stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

test(
  "the first program compiles at once, and what comes after it has better code",
  { ...native, timeout: 60_000 },
  () =>
    inDirectory(async (directory) => {
      const first = await program(directory);
      assertEquals([first.from, first.isBest], ["compiled", false]);
      await settled(directory);
      const second = await program(directory);
      assertEquals([second.from, second.isBest, second.answer], ["disk", true, first.answer]);
      assertStrictEquals(entriesIn(directory).length, 1);
    }),
);

test("any name of a directory will do", { ...native, timeout: 60_000 }, () =>
  inDirectory(async (directory) => {
    const odd = `${directory}/a,b --allow=c ü`;
    await program(odd);
    await settled(odd);
    assertEquals(await program(odd), { from: "disk", answer: 1, isBest: true });
  }));

test(
  "code that is invalid is the compiler's error, also when it is warmed",
  native,
  () =>
    inDirectory(async (directory) => {
      const engine = engineWith();
      const bad = Uint8Array.of(1, 2, 3);
      await assertRejects(async () => await engine.thorough!.compile(bad), WebAssembly.CompileError);
      const cache = new ModuleCache({ engine, directory, strict: true });
      await assertRejects(() => cache.warm([bad]), WebAssembly.CompileError);
    }),
);

test(
  "a program that ends itself has its code made all the same",
  { ...native, timeout: 60_000 },
  () =>
    inDirectory(async (directory) => {
      await program(directory, "exit");
      await settled(directory);
      assertStrictEquals((await program(directory)).isBest, true);
    }),
);

test("warm waits for the better code", { ...native, timeout: 60_000 }, () =>
  inDirectory(async (directory) => {
    const warmed = await program(directory, "warm");
    assertEquals([warmed.from, warmed.isBest], ["memory", true]);
    assertEquals(await program(directory), { ...warmed, from: "disk" });
  }));

test(
  "every runtime makes the same bytes, and takes those of the others",
  { ...native, timeout: 120_000 },
  () =>
    inDirectory(async (directory) => {
      const engine = engineWith();
      const others = Object.entries(runtimes()).filter(([name]) => !/Node 2[24]/.test(name));
      const artifacts: Uint8Array[] = [];
      for (const [name, command] of others) {
        const own = `${directory}/${artifacts.length}`;
        const { code, stderr } = await runScript(command, "tests/wasmtime/_program.ts", [own, library!, "warm"]);
        assertStrictEquals(code, 0, `${name}: ${stderr}`);
        artifacts.push(payloadOf(onlyEntry(own)));
      }
      for (const artifact of artifacts) assertEquals(artifact, artifacts[0]);
      for (const [i, [name, command]] of others.entries()) {
        const made = `${directory}/${(i + 1) % others.length}`;
        const { stdout } = await runScript(command, "tests/wasmtime/_program.ts", [made, library!]);
        assertEquals(JSON.parse(stdout || "null"), { from: "disk", answer: 1, isBest: true }, name);
      }
      const module = await engine.deserialize(new Uint8Array(artifacts[0]!), undefined);
      assert(module !== undefined);
    }),
);

test("another library and other settings have other entries", native, () =>
  inDirectory(async (directory) => {
    const code = new Uint8Array(
      readFileSync(new URL("../../node_modules/@jsquash/oxipng/codec/pkg/squoosh_oxipng_bg.wasm", import.meta.url)),
    );
    const lookup = async (options: Parameters<typeof engineWith>[0]) => {
      const cache = new ModuleCache({ engine: engineWith(options), directory, onWarning: () => {} });
      return (await cache.resolve(code)).from;
    };
    assertEquals([await lookup({}), await lookup({}), await lookup({ fuel: true })], ["compiled", "disk", "compiled"]);
    assertNotEquals(engineWith({ optimize: "none" }).id, engineWith().id);
  }));

test(
  "damaged entries are compiled again, and end no process",
  { ...native, timeout: 120_000 },
  () =>
    inDirectory(async (directory) => {
      await program(directory, "warm");
      const path = onlyEntry(directory);
      const whole = new Uint8Array(readFileSync(path));
      const { code, stderr, stdout } = await runScript(
        runtimes()[thisRuntime()]!,
        "tests/wasmtime/_damaged.ts",
        [directory, library!, path],
      );
      assertStrictEquals(code, 0, stderr);
      assertEquals(JSON.parse(stdout.trim().split("\n").at(-1)!), { recompiled: 250 });
      rmSync(path);
      writeFileSync(path, whole);
      assertStrictEquals((await program(directory)).from, "disk");
    }),
);

test("a helper that is killed leaves what was there, and nobody waits for it", {
  timeout: 60_000,
  skip: native.skip || (existsSync("/proc/self/cwd") ? false : "processes cannot be found by their folder"),
}, () =>
  inDirectory(async (directory) => {
    const first = await program(directory);
    const helpers = () =>
      readdirSync("/proc").filter((name) => {
        try {
          return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === `${realpathSync(directory)}/v1/tmp`;
        } catch {
          return false;
        }
      });
    for (const id of helpers()) process.kill(Number(id), "SIGKILL");
    await until(() => helpers().length === 0);
    const second = await program(directory);
    assertEquals([second.from, second.answer, second.isBest], ["disk", first.answer, false]);
    // It was tried: nobody else does for a while.
    assertEquals([helpers(), readdirSync(`${directory}/v1/tmp`)], [[], []]);
  }));
