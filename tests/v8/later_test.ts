// What happens behind the caller's back: when it begins, how often, and what it costs.

import { assert, assertEquals, assertGreater, assertStrictEquals } from "@std/assert";
import { ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { LIMIT_MS } from "../../src/background/attempts.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { entriesIn, inDirectory, ROOT, runScript } from "../_tools.ts";
import { artifactsIn, hasGrade, here, inFull, leftIn, notesIn, PADDED, program, settled, until } from "../_v8_tools.ts";

test("what was tried and cannot be kept is not tried again", inFull, () =>
  inDirectory(async (directory) => {
    const env = { V8_TEST_MAX_BYTES: "3000" };
    const runs = [];
    for (let i = 0; i < 3; i++) {
      runs.push(await program(directory, "full", { env }));
      await settled(directory);
    }
    assertEquals(runs.map(({ from, started }) => [from, started]), [["compiled", 1], ["compiled", 0], ["compiled", 0]]);
    assertEquals([artifactsIn(directory), notesIn(directory).length, leftIn(directory)], [[], 1, []]);
  }));

test("where there is no room for anything, nothing is started", inFull, () =>
  inDirectory(async (directory) => {
    const { from, started } = await program(directory, "profile", { env: { V8_TEST_MAX_BYTES: "10" } });
    assertEquals([from, started, existsSync(`${directory}/v1/locks/v8`)], ["compiled", 0, false]);
  }));

test("one process works on a directory, whoever ends meanwhile", inFull, () =>
  inDirectory(async (directory) => {
    const all = await Promise.all(Array.from({ length: 8 }, () => program(directory)));
    assertEquals(new Set(all.map(({ answer }) => answer)).size, 1);
    // One may have come after the first was done: it found what that had made.
    assert(all.filter(({ from }) => from === "compiled").reduce((sum, { started }) => sum + started, 0) <= 1);
    await settled(directory);
    assertEquals([artifactsIn(directory).length, leftIn(directory)], [1, []]);
    assertStrictEquals((await program(directory)).from, "disk");
  }));

test("the workers of a process start no process each", inFull, () =>
  inDirectory(async (directory) => {
    const args = ["tests/_v8_program.ts", directory, "workers"];
    const { stdout } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
    const answers = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    assertStrictEquals(answers.length, 12);
    assertStrictEquals(answers.reduce((sum, { started }) => sum + started, 0), 1);
    await settled(directory);
    assertStrictEquals((await program(directory)).from, "disk");
  }));

test(
  "a program that ends itself right after the lookup has its artifact made all the same",
  inFull,
  () =>
    inDirectory(async (directory) => {
      // Node 24 may wait for ever in process.exit, for a thread that waits for it to collect garbage: it is ended then.
      const options = { cwd: ROOT, timeout: 30_000, killSignal: "SIGKILL" as const };
      spawnSync(process.execPath, ["tests/_v8_program.ts", directory, "exit"], options);
      await settled(directory);
      assertEquals([hasGrade(directory, "profile"), notesIn(directory)], [true, []]);
    }),
);

test("a program that goes on has its artifact made after ten seconds", inFull, () =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: v8Engine(), directory, strict: true });
    cache.resolveSync(PADDED);
    await until(() => hasGrade(directory, "profile"));
    await settled(directory);
    assertEquals(notesIn(directory), []);
  }));

test("a directory that a program removes before it ends stays away", inFull, () =>
  inDirectory(async (directory) => {
    const { started } = await program(`${directory}/a`, "remove");
    assertEquals([started, existsSync(`${directory}/a`)], [0, false]);
  }));

test(
  "any bytes in the place of the mark stop nobody for ever, and warm not at all",
  inFull,
  () =>
    inDirectory(async (directory) => {
      await program(directory, "none");
      const mark = `${directory}/v1/locks/v8`;
      await new ModuleCache({ engine: v8Engine(), directory }).warm([PADDED]);
      writeFileSync(mark, "garbage".repeat(100));
      await program(directory, "warm");
      assert(existsSync(mark));
      rmSync(`${directory}/v1`, { recursive: true });
      await new ModuleCache({ engine: v8Engine(), directory }).warm([PADDED]);
      writeFileSync(mark, "garbage".repeat(100));
      assertStrictEquals((await program(directory)).started, 0);
      utimesSync(mark, 1, (Date.now() - LIMIT_MS - 1000) / 1000);
      assertStrictEquals((await program(directory)).started, 1);
      await settled(directory);
    }),
);

test("no more code is kept than the cache may keep in memory", here, async () => {
  const script = `
    import { ModuleCache } from "@wasm/module-cache";
    import { v8Engine } from "@wasm/module-cache/v8";
    import { mkdtempSync, rmSync } from "node:fs";
    const directory = mkdtempSync(process.argv[1]);
    const used = () => (gc(), gc(), process.memoryUsage().arrayBuffers);
    for (const limits of [{ maxEntries: 0 }, { maxMemoryBytes: 0 }, { maxMemoryBytes: 8e6 }]) {
      const cache = new ModuleCache({ engine: v8Engine(), directory, ...limits });
      const before = used();
      for (let i = 0; i < 60; i++) {
        const code = new Uint8Array(${PADDED.length + 6} + 1e6);
        code.set(JSON.parse(process.argv[2]));
        code.set([0, 0xc1, 0x84, 0x3d, 1, 97, i], ${PADDED.length});
        await cache.compile(code.subarray(0, ${PADDED.length} + 4 + 1e6 + 1));
      }
      console.log(Math.round((used() - before) / 1e6));
    }
    rmSync(directory, { recursive: true });
  `;
  await inDirectory(async (directory) => {
    const command = [process.execPath, "--expose-gc", "--input-type=module", "-e", script, "--", `${directory}/`];
    const { stdout, stderr } = await runScript(command, JSON.stringify([...PADDED]));
    const megabytes = stdout.trim().split("\n").map(Number);
    assertStrictEquals(megabytes.length, 3, stderr);
    // Of sixty; the last cache keeps eight itself.
    assert(megabytes[0]! <= 2 && megabytes[1]! <= 2 && megabytes[2]! <= 18, stdout);
  });
});

test(
  "code that is looked up again counts once against what is remembered",
  inFull,
  () =>
    inDirectory(async (directory) => {
      const script = `
      import { ModuleCache } from "@wasm/module-cache";
      import { v8Engine } from "@wasm/module-cache/v8";
      const code = Uint8Array.from(JSON.parse(process.argv[2]));
      const options = { engine: v8Engine(), directory: process.argv[1], maxMemoryBytes: 2.5 * code.length };
      globalThis.kept = [];
      for (let i = 0; i < 4; i++) kept.push(new ModuleCache(options).resolveSync(code).module);
      kept.push(new ModuleCache(options).resolveSync(Uint8Array.of(...code, 0, 2, 1, 97)).module);
      for (const module of kept) new WebAssembly.Instance(module).exports.add(1, 2);
    `;
      const command = [process.execPath, "--input-type=module", "-e", script, "--", directory];
      const { code, stderr } = await runScript(command, JSON.stringify([...PADDED]));
      assertStrictEquals(code, 0, stderr);
      await settled(directory);
      assertStrictEquals(artifactsIn(directory).length, 2);
    }),
);

test("a module that is tiny or exports no function is left alone", here, () =>
  inDirectory(async (directory) => {
    const memoryOnly = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 1, ...PADDED.subarray(PROBE.length));
    for (const code of [PROBE, memoryOnly]) {
      const cache = new ModuleCache({ engine: v8Engine(), directory, strict: true });
      await cache.warm([code]);
      assertStrictEquals(cache.resolveSync(code).from, "memory");
      cache.clearMemory();
      assertStrictEquals(cache.resolveSync(code).from, "compiled");
    }
    assertEquals(entriesIn(directory), []);
    assertGreater(memoryOnly.length, 4096);
  }));
