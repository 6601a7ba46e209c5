// The V8 engine: what an earlier process made comes back whole, or not at all. Each program is a process of its own, for
// V8 remembers in one what it compiled.

import { assert, assertEquals, assertGreater, assertStrictEquals, assertThrows } from "@std/assert";
import { hostEngine } from "@wasm/module-cache";
import { bestEngine, v8Engine } from "@wasm/module-cache/v8";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { entriesIn, inDirectory, payloadOf, ROOT, runScript } from "../_tools.ts";
import {
  artifactsIn,
  fromDisk,
  hasGrade,
  here,
  inFull,
  leftIn,
  notesIn,
  onLinux,
  PADDED,
  program,
  said,
  settled,
  until,
  warmed,
} from "../_v8_tools.ts";

interface Progress {
  readonly progress: Record<string, unknown>[];
}

test("the best engine is one that can be used", () => {
  const { available } = v8Engine.available();
  assertStrictEquals(bestEngine().id, available ? v8Engine().id : hostEngine().id);
  assertStrictEquals(bestEngine().native, available ? true : undefined);
});

test("the V8 engine refuses options that are none", here, () => {
  assertThrows(() => v8Engine({ artifact: "best" as "full" }), TypeError, "Cannot use artifact");
});

test(
  "the second process starts from machine code of the first, and answers the same",
  here,
  () =>
    inDirectory(async (directory) => {
      const cold = await program(directory);
      assertEquals([cold.from, cold.started], ["compiled", 1]);
      // Nobody waits for the rest.
      await until(() => hasGrade(directory, "snapshot"));
      const size = () => artifactsIn(directory)[0]!.length;
      const before = size();
      assertEquals(said(await program(directory)), fromDisk(cold));
      await settled(directory);
      assertEquals([hasGrade(directory, "profile"), notesIn(directory), leftIn(directory)], [true, [], []]);
      // All that was executed, not only what V8 had come to by itself.
      assertGreater(size(), before);
      const warm = await program(directory);
      assertEquals([said(warm), warm.started], [fromDisk(cold), 0]);
    }),
);

test("an engine that wants all of the machine code has it made later", inFull, () =>
  inDirectory(async (directory) => {
    await program(directory, "full");
    await settled(directory);
    assertEquals([hasGrade(directory, "full"), (await program(directory)).from], [true, "disk"]);
  }));

test("warm makes all of the machine code and waits for it", here, async () => {
  const directory = await warmed();
  assertEquals([hasGrade(directory, "full"), leftIn(directory), notesIn(directory)], [true, [], []]);
  assertStrictEquals((await program(directory)).from, "disk");
  const { progress } = await program<Progress>(directory, "warm");
  assertEquals(progress.map(({ done, total, from }) => [done, total, from]), [[1, 1, "disk"]]);
});

test("warm takes the place of what one run happened to optimize", inFull, () =>
  inDirectory(async (directory) => {
    await program(directory);
    await until(() => hasGrade(directory, "snapshot"));
    const { progress } = await program<Progress>(directory, "warm");
    assertEquals(progress.map(({ from }) => from), ["recompiled"]);
    await settled(directory);
    // Who was at work before did not put back what is less.
    assertEquals([hasGrade(directory, "full"), artifactsIn(directory).length], [true, 1]);
  }));

test("what was made is found by an engine that makes nothing, and by a worker", inFull, async () => {
  const cold = await inDirectory((directory) => program(directory, "none"));
  assertEquals([cold.from, cold.started], ["compiled", 0]);
  const directory = await warmed();
  assertEquals(said(await program(directory, "none")), fromDisk(cold));
  assertEquals(said(await program(directory, "worker")), fromDisk(cold));
});

test("what was made is not found under other flags of V8, which have artifacts of their own", inFull, async () => {
  const directory = await warmed();
  for (const flag of ["--stack-size=2000", "--disable-wasm-trap-handler", "--no-wasm-tier-up", "--expose-gc"]) {
    const { from, reason } = await program(directory, "none", { flags: [flag] });
    assertEquals([from, reason], ["compiled", "there was no entry"], flag);
  }
  await inDirectory(async (own) => {
    await program(own, "warm", { flags: ["--stack-size=2000"] });
    assertStrictEquals((await program(own, "none", { flags: ["--stack-size=2000"] })).from, "disk");
  });
});

// With so little room Node 22 gives the program no memory at all.
const roomy = { ...onLinux, skip: process.version.startsWith("v22.") ? "Node 22 has no memory then" : onLinux.skip };

test("what was made is not found by a process without a trap handler", roomy, async () => {
  const args = ["bash", process.execPath, "tests/_v8_program.ts", await warmed(), "none"];
  const output = execFileSync("bash", ["-c", 'ulimit -v 8000000; exec "$@"', ...args], { cwd: ROOT, encoding: "utf8" });
  assertStrictEquals(JSON.parse(output).from, "compiled");
});

test("an artifact made by a worker's end is whole", inFull, () =>
  inDirectory(async (directory) => {
    const first = await program(directory, "worker");
    assertStrictEquals(first.started, 1);
    await settled(directory);
    assertEquals(said(await program(directory)), fromDisk(first));
  }));

test(
  "entries that are damaged are made again, and the answer is the same",
  inFull,
  () =>
    inDirectory(async (directory) => {
      cpSync(await warmed(), directory, { recursive: true });
      const { answer } = await program(directory, "none");
      const path = entriesIn(directory).find((path) => payloadOf(path).length > 1000)!;
      const whole = readFileSync(path);
      const damages = [
        (entry: Uint8Array) => (entry[0]! ^= 1, entry),
        (entry: Uint8Array) => (entry[3]! ^= 1, entry),
        (entry: Uint8Array) => (entry[entry.length >> 1]! ^= 16, entry),
        (entry: Uint8Array) => (entry[entry.length - 1]! ^= 128, entry),
        (entry: Uint8Array) => entry.slice(0, entry.length >> 1),
        (entry: Uint8Array) => entry.slice(832),
      ];
      for (const damage of damages) {
        writeFileSync(path, damage(new Uint8Array(whole)));
        const { code, stdout } = await runScript([process.execPath], "tests/_v8_damaged.ts", [directory]);
        const told = JSON.parse(stdout);
        assertEquals([code, told.from, told.codes, told.answer], [0, "recompiled", ["CORRUPT"], answer]);
      }
    }),
);

test("an access out of bounds traps after a load", here, () =>
  inDirectory(async (directory) => {
    const script = `
      import { ModuleCache } from "@wasm/module-cache";
      import { v8Engine } from "@wasm/module-cache/v8";
      import { works } from ${JSON.stringify(`${ROOT}/src/v8/proof.ts`)};
      const [task, directory, code] = process.argv.slice(1);
      const cache = new ModuleCache({ engine: v8Engine(), directory, strict: true });
      if (task === "warm") await cache.warm([new Uint8Array(JSON.parse(code))]);
      else {
        const { module, from } = cache.resolveSync(new Uint8Array(JSON.parse(code)));
        console.log(from, works(module));
      }
    `;
    const run = (task: string) => {
      const command = [process.execPath, "--input-type=module", "-e", script, "--", task, directory];
      return runScript(command, JSON.stringify([...PADDED]));
    };
    assertEquals((await run("warm")).stderr, "");
    assertEquals((await run("load")).stdout, "disk true\n");
  }));

test("a secret goes with the order, and the artifact is signed", inFull, () =>
  inDirectory(async (directory) => {
    const secret = "a secret";
    await program(directory, "profile", { secret });
    await until(() => hasGrade(directory, "snapshot"));
    assertStrictEquals((await program(directory, "none", { secret })).from, "disk");
    const other = await runScript([process.execPath], "tests/_v8_program.ts", [directory, "none", "another"]);
    assertEquals([other.code === 0, other.stderr.includes("was signed with another secret")], [false, true]);
    await settled(directory);
  }));

test(
  "esbuild makes the same of a file from machine code of an earlier process",
  inFull,
  () =>
    inDirectory(async (directory) => {
      const bundle = () =>
        new Promise<{ out: string; err: string }>((resolve, reject) => {
          const args = ["--import", "./tests/_v8_hook.ts", "node_modules/esbuild-wasm/bin/esbuild"];
          const child = spawn(process.execPath, [...args, "--bundle", "--minify", "src/lookup.ts"], {
            cwd: ROOT,
            env: { ...process.env, V8_TEST_DIRECTORY: directory },
            stdio: ["ignore", "pipe", "pipe"],
          });
          const output = { out: "", err: "" };
          child.stdout.on("data", (text) => output.out += text);
          child.stderr.on("data", (text) => output.err += text);
          child.on("close", (code) => code === 0 ? resolve(output) : reject(new Error(output.err)));
        });
      const cold = await bundle();
      await until(() => hasGrade(directory, "snapshot"));
      const warm = await bundle();
      assertEquals([cold.err, warm.err], ["from compiled\n", "from disk\n"]);
      assert(warm.out.length > 1000);
      assertStrictEquals(warm.out, cold.out);
    }),
);
