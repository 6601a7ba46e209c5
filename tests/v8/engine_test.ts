// The V8 engine: artifacts are made behind the caller's back and come back whole, or not at all. Each program is a process
// of its own, for V8 remembers in one what it compiled.

import { assert, assertEquals, assertGreater, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { hostEngine, ModuleCache } from "@wasm/module-cache";
import { bestEngine, v8Engine } from "@wasm/module-cache/v8";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { graded, GRADES, isAtLeast, profileOf, ungraded, withFlagsOf } from "../../src/v8/artifact.ts";
import { identity } from "../../src/v8/identity.ts";
import { optimize, serialize } from "../../src/v8/intrinsics.ts";
import { openNameless, writeOrders, writeWhole } from "../../src/v8/order.ts";
import { PROBE, works } from "../../src/v8/probe.ts";
import { makeArtifact } from "../../src/v8/processes.ts";
import { isWorth, outlineOf } from "../../src/v8/wasm.ts";
import { bytes, entriesIn, inDirectory, payloadOf, realModule, ROOT, runScript, text, thisRuntime } from "../_tools.ts";

const { available, reason } = v8Engine.available();
const here = { timeout: 120_000, skip: available ? false : reason };
/** What takes longest, and tries more of this library than of V8: in the short form on one version. */
const isSecond = !process.env.TEST_LONG && process.version.startsWith("v22.");
const once = { ...here, skip: isSecond ? "tried on Node 24: set TEST_LONG=1" : here.skip };
const isLinux = process.platform === "linux";

interface Answer {
  readonly from: string;
  readonly reason?: string;
  readonly answer: number;
  readonly surface: string;
}

/** Runs the program in a process of its own; gives what it printed. */
async function program<T = Answer>(
  directory: string,
  task = "profile",
  flags: string[] = [],
  secret?: string,
): Promise<T> {
  const args = [directory, task, ...(secret ? [secret] : [])];
  const { code, stdout, stderr } = await runScript([process.execPath, ...flags], "tests/_v8_program.ts", args);
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.split("\n").find((line) => line.startsWith("{"))!);
}

/** The same answer, from the disk. */
function disk({ answer, surface }: Answer): Answer {
  return { from: "disk", answer, surface };
}

/** Artifacts in a directory, without the proofs. */
function artifactsIn(directory: string): Uint8Array[] {
  return entriesIn(directory).map(payloadOf).filter((payload) => payload.length > 1000);
}

/** Lets processes begin until the artifact is as good as it gets: the first may end before the engine is proven. */
async function made(directory: string, grade: keyof typeof GRADES = "profile", secret?: string): Promise<void> {
  const isMade = () => artifactsIn(directory).some((artifact) => isAtLeast(artifact.subarray(secret ? 32 : 0), grade));
  for (let runs = 0; runs < 6 && !isMade(); runs++) {
    await program(directory, grade === "full" ? "full" : "stay", [], secret);
    for (let looks = 0; looks < 100 && !isMade() && (await supervisors(directory)).length > 0; looks++) await soon(100);
  }
  assert(isMade(), "no artifact was made");
}

const soon = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Numbers of the processes that work on a directory: it is where they stand. */
async function supervisors(directory: string): Promise<number[]> {
  await soon(0);
  if (!isLinux) return [0];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((id) => {
    try {
      return readlinkSync(`/proc/${id}/cwd`).startsWith(directory);
    } catch {
      return false;
    }
  });
}

/** Waits until nothing works on a directory any more. */
async function quiet(directory: string): Promise<void> {
  for (let looks = 0; looks < 600 && (await supervisors(directory)).length > 0; looks++) await soon(isLinux ? 100 : 5);
}

/** Everything in a directory but entries, locks and what says what it is. */
function leftIn(directory: string): string[] {
  return (readdirSync(`${directory}/v1/tmp`)).map((name) => `tmp/${name}`);
}

test("the V8 engine says whether it can be used, and the best engine is one that can", () => {
  assertEquals(available, /^Node 2[2-5]\./.test(thisRuntime()));
  assertEquals(typeof reason, available ? "undefined" : "string");
  if (available) return assertEquals([bestEngine().native, v8Engine().id], [true, bestEngine().id]);
  assertThrows(() => v8Engine(), TypeError, reason!);
  assertStrictEquals(bestEngine().id, hostEngine().id);
});

test("the V8 engine refuses options that are none", here, () => {
  assertThrows(() => v8Engine({ artifact: "best" as "full" }), TypeError, "Cannot use artifact");
});

test(
  "a process starts from what an earlier one executed, and answers the same",
  here,
  () =>
    inDirectory(async (directory) => {
      const cold = await program(directory);
      await quiet(directory);
      // It ended before the engine was proven, and left the rest to the next.
      const proofs = entriesIn(directory).map((path) => JSON.parse(text(payloadOf(path))));
      assertEquals([cold.from, proofs.map((proof) => Object.keys(proof))], ["compiled", [["atMs"]]]);
      assertEquals(await program(directory), cold);
      // What was optimized by then stands there at once; nobody waits for the rest.
      assertEquals(artifactsIn(directory).map((artifact) => isAtLeast(artifact, "snapshot")), [true]);
      await quiet(directory);
      assertEquals(artifactsIn(directory).map((artifact) => isAtLeast(artifact, "profile")), [true]);
      assertEquals([await program(directory), leftIn(directory)], [disk(cold), []]);
    }),
);

test(
  "what is preloaded into the program, by options or NODE_OPTIONS, is not into its helpers",
  once,
  () =>
    inDirectory(async (directory) => {
      const log = `${directory}/preloaded`;
      const preload = `--import=${pathToFileURL(`${ROOT}/tests/_preloaded.mjs`)}`;
      const command = [process.execPath, preload, "tests/_v8_program.ts"];
      for (const NODE_OPTIONS of ["", preload]) {
        const env = { NODE_OPTIONS, PRELOADED_LOG: log };
        const { code, stderr } = await runScript(command.slice(0, 2), command[2]!, [`${directory}/cache`, "warm"], env);
        assertEquals([code, stderr], [0, ""]);
        rmSync(`${directory}/cache`, { recursive: true });
        const processes = readFileSync(log, "utf8").trim().split("\n");
        assertEquals(processes.filter((line) => !line.includes("_v8_program.ts")), []);
        assertGreater(processes.length, 0);
      }
    }),
);

test("warm makes all of the machine code and waits for it", here, () =>
  inDirectory(async (directory) => {
    const { progress } = await program<{ progress: Record<string, unknown>[] }>(directory, "warm");
    assertEquals(progress.map(({ done, total, from }) => [done, total, from]), [[1, 1, "compiled"]]);
    assertEquals(artifactsIn(directory).map((artifact) => isAtLeast(artifact, "full")), [true]);
    assertStrictEquals((await program(directory)).from, "disk");
    const again = await program<{ progress: Record<string, unknown>[] }>(directory, "warm");
    assertEquals(again.progress.map(({ from }) => from), ["disk"]);
    assertEquals([await supervisors(directory).then((all) => isLinux ? all : []), leftIn(directory)], [[], []]);
  }));

test("an engine that wants all of the machine code has it made later", here, () =>
  inDirectory(async (directory) => {
    await made(directory, "full");
    assertStrictEquals((await program(directory)).from, "disk");
  }));

test(
  "what was made is found by an engine that makes nothing, in a worker, and not under other flags",
  once,
  () =>
    inDirectory(async (directory) => {
      const cold = await program(directory, "none");
      assertEquals([cold.from, entriesIn(directory)], ["compiled", []]);
      await program(directory, "warm");
      assertEquals(await program(directory, "none"), disk(cold));
      assertEquals(await program(directory, "worker"), disk(cold));
      for (const flag of ["--stack-size=2000", "--disable-wasm-trap-handler", "--no-wasm-tier-up", "--expose-gc"]) {
        assertEquals(await program(directory, "none", [flag]), cold, flag);
      }
      await program(directory, "warm", ["--stack-size=2000"]);
      assertEquals(await program(directory, "none", ["--stack-size=2000"]), disk(cold));
      // With so little room Node 22 gives the program no memory at all.
      if (!isLinux || process.version.startsWith("v22")) return;
      const args = ["bash", process.execPath, "tests/_v8_program.ts", directory, "none"];
      const output = execFileSync("bash", ["-c", 'ulimit -v 8000000; exec "$@"', ...args], {
        cwd: ROOT,
        encoding: "utf8",
      });
      assertEquals(JSON.parse(output), cold);
    }),
);

test("an artifact made by a worker's end is whole", here, () =>
  inDirectory(async (directory) => {
    const first = await program(directory, "worker");
    await quiet(directory);
    await program(directory, "worker");
    await quiet(directory);
    assertEquals(await program(directory), disk(first));
  }));

test(
  "entries of the V8 engine that are damaged are made again, and the answer is the same",
  once,
  () =>
    inDirectory(async (directory) => {
      await program(directory, "warm");
      const { answer } = await program(directory);
      const path = entriesIn(directory).find((path) => payloadOf(path).length > 1000)!;
      const whole = readFileSync(path);
      const damages = [
        (entry: Uint8Array) => (entry[0]! ^= 1, entry),
        (entry: Uint8Array) => (entry[168 + 3]! ^= 1, entry),
        (entry: Uint8Array) => (entry[entry.length >> 1]! ^= 16, entry),
        (entry: Uint8Array) => (entry[entry.length - 1]! ^= 128, entry),
        (entry: Uint8Array) => entry.slice(0, entry.length >> 1),
        (entry: Uint8Array) => Uint8Array.from([...entry.slice(0, 168), ...entry.slice(1000)]),
      ];
      for (const damage of damages) {
        writeFileSync(path, damage(new Uint8Array(whole)));
        const { code, stdout } = await runScript([process.execPath], "tests/_v8_damaged.ts", [directory]);
        const told = JSON.parse(stdout);
        assertEquals([code, told.from, told.codes, told.answer], [0, "recompiled", ["CORRUPT"], answer]);
      }
    }),
);

test(
  "twenty processes at once on a cold directory answer the same, and one artifact is made",
  once,
  () =>
    inDirectory(async (directory) => {
      await program(directory);
      await quiet(directory);
      const all = await Promise.all(Array.from({ length: 20 }, () => program(directory)));
      assertEquals(new Set(all.map(({ answer }) => answer)).size, 1);
      await quiet(directory);
      assertEquals([artifactsIn(directory).length, leftIn(directory)], [1, []]);
      assertStrictEquals((await program(directory)).from, "disk");
    }),
);

test(
  "a supervisor that is killed leaves nothing, and a later process has the artifact made",
  here,
  () =>
    inDirectory(async (directory) => {
      if (!isLinux) return;
      await program(directory);
      await quiet(directory);
      await program(directory);
      for (const id of await supervisors(directory)) process.kill(id, "SIGKILL");
      await quiet(directory);
      assertEquals(leftIn(directory), []);
      await made(directory);
    }),
);

test(
  "a directory that is removed while an artifact is made does not come back",
  here,
  () =>
    inDirectory(async (directory) => {
      if (!isLinux) return;
      const isVerifying = (id: number) => readFileSync(`/proc/${id}/cmdline`, "utf8").includes("\0verify");
      const running = program(`${directory}/a/cache`, "stay");
      // All that is left to do then is to write.
      while (!(await supervisors(directory)).some((id) => tried(() => isVerifying(id)))) await soon(1);
      rmSync(`${directory}/a`, { recursive: true });
      await running;
      await quiet(directory);
      assertEquals(readdirSync(directory), []);
    }),
);

/** `false` where it throws: processes end while they are looked at. */
function tried(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

test(
  "where packages are found by hooks, the engine says so, and a process without them tells why",
  here,
  () =>
    inDirectory(async (directory) => {
      // As under Yarn's Plug'n'Play: the program finds packages, and the processes that it starts do not.
      for (const path of ["mod.ts", "v8.ts", "package.json", "src"]) {
        cpSync(`${ROOT}/${path}`, `${directory}/${path}`, { recursive: true });
      }
      writeFileSync(
        `${directory}/program.mjs`,
        `
      import { registerHooks } from "node:module";
      const parentURL = ${JSON.stringify(pathToFileURL(`${ROOT}/mod.ts`).href)};
      registerHooks({
        resolve: (name, context, next) => next(name, /^[.\/]|:/.test(name) ? context : { ...context, parentURL }),
      });
      const { ModuleCache } = await import("./mod.ts");
      const { v8Engine } = await import("./v8.ts");
      const onWarning = ({ cause }) => console.log(cause.message);
      const directory = ${JSON.stringify(`${directory}/cache`)};
      const cache = new ModuleCache({ engine: v8Engine(), directory, onWarning });
      await cache.warm([new Uint8Array(${JSON.stringify([...realModule("oxipng")])})]);
      Object.defineProperty(process, "versions", { value: { ...process.versions, pnp: "3" } });
      console.log(v8Engine.available().reason);
    `,
      );
      const { code, stdout, stderr } = await runScript([process.execPath], `${directory}/program.mjs`);
      assertEquals(code, 0, stderr);
      const [complaint, reason] = stdout.trim().split("\n");
      assert(complaint?.includes("quick-lru"), stdout);
      assert(reason?.includes("Plug'n'Play"), stdout);
    }),
);

test("nothing waits for a process that could not be started", here, () =>
  inDirectory(async (directory) => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const making = makeArtifact({ id: identity(), grade: "full", code: PROBE }, directory);
    // The first process has begun; the second finds no folder to work in.
    rmSync(directory, { recursive: true });
    await assertRejects(() => making, Error, "ENOENT");
    assertStrictEquals(timers(), before);
  }));

test("a module that is tiny or exports no function is left alone", here, () =>
  inDirectory(async (directory) => {
    const padded = (code: Uint8Array) => Uint8Array.from([...code, 0, 0x85, 0x40, 1, 97, ...new Uint8Array(8195)]);
    const memoryOnly = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 1);
    for (const code of [PROBE, padded(memoryOnly)]) {
      const cache = new ModuleCache({ engine: v8Engine(), directory, strict: true });
      await cache.warm([code]);
      assertStrictEquals(cache.resolveSync(code).from, "memory");
      cache.clearMemory();
      assertStrictEquals(cache.resolveSync(code).from, "compiled");
    }
    assertEquals([isWorth(PROBE), isWorth(padded(PROBE)), isWorth(padded(memoryOnly))], [false, true, false]);
    await soon(50);
    assertEquals(entriesIn(directory), []);
  }));

test("an access out of bounds traps after a load", here, () =>
  inDirectory(async (directory) => {
    const script = `
      import { ModuleCache } from "@wasm/module-cache";
      import { v8Engine } from "@wasm/module-cache/v8";
      import { PROBE, works } from "${ROOT}/src/v8/probe.ts";
      const code = Uint8Array.from([...PROBE, 0, 0x85, 0x40, 1, 97, ...new Uint8Array(8195)]);
      const cache = new ModuleCache({ engine: v8Engine(), directory: ${JSON.stringify(directory)}, strict: true });
      if (process.argv[2] === "warm") await cache.warm([code]);
      else { const { module, from } = cache.resolveSync(code); console.log(from, works(module)); }
    `;
    const path = `${ROOT}/.cache/traps-${process.pid}.ts`;
    mkdirSync(`${ROOT}/.cache`, { recursive: true });
    writeFileSync(path, script);
    try {
      await runScript([process.execPath], path, ["warm"]);
      assertEquals((await runScript([process.execPath], path)).stdout, "disk true\n");
    } finally {
      rmSync(path);
    }
  }));

test("a secret goes with the order, and the artifact is signed", here, () =>
  inDirectory(async (directory) => {
    await made(directory, "profile", "a secret");
    assertStrictEquals((await program(directory, "none", [], "a secret")).from, "disk");
    const other = await runScript([process.execPath], "tests/_v8_program.ts", [directory, "none", "another"]);
    assertEquals([other.code === 0, other.stderr.includes("was signed with another secret")], [false, true]);
  }));

test(
  "a program that ends itself right after the lookup has its artifact made all the same",
  here,
  () =>
    inDirectory(async (directory) => {
      for (let runs = 0; runs < 2; runs++) {
        // Node 24 may wait for ever in process.exit, for a thread that waits for it to collect garbage: it is ended then.
        const options = { cwd: ROOT, timeout: 10_000, killSignal: "SIGKILL" as const };
        spawnSync(process.execPath, ["tests/_v8_program.ts", directory, "exit"], options);
        await quiet(directory);
      }
      assertEquals(artifactsIn(directory).map((artifact) => isAtLeast(artifact, "profile")), [true]);
    }),
);

test(
  "a process that verifies an artifact does not take a damaged one",
  here,
  () =>
    inDirectory(async (directory) => {
      const code = Uint8Array.from([...PROBE, 0, 0x85, 0x40, 1, 97, ...new Uint8Array(8195)]);
      const artifact = await makeArtifact({ id: identity(), grade: "full", code }, directory);
      const damages = {
        "as it is": artifact,
        "without its code": artifact.map((byte, i) => i < 40 ? byte : 0xcc),
        "too short": artifact.slice(0, 60),
        "empty": new Uint8Array(),
      };
      for (const [name, damaged] of Object.entries(damages)) {
        const orders = openNameless(directory);
        const file = openNameless(directory);
        writeOrders(orders, 0, [{ id: identity(), grade: "full", code }]);
        writeWhole(file, 0, damaged);
        const stdio = ["ignore", "ignore", "ignore", orders, file] as const;
        const { status } = spawnSync(process.execPath, ["src/v8/process_main.ts", "verify"], {
          cwd: ROOT,
          stdio: [...stdio],
        });
        closeSync(orders);
        closeSync(file);
        assertEquals([name, status === 0], [name, name === "as it is"]);
      }
    }),
);

test("V8's calls are not made on what is no module or no function of one", here, () => {
  assertThrows(() => serialize({} as WebAssembly.Module), TypeError);
  assertThrows(() => serialize(Object.create(WebAssembly.Module.prototype)), TypeError);
  for (const exported of [() => 1, {}, undefined]) assertThrows(() => optimize(exported), TypeError);
});

test("a process that may not start processes cannot use the V8 engine", here, async () => {
  const script = "import { v8Engine } from '@wasm/module-cache/v8'; console.log(v8Engine.available().reason)";
  const flags = ["--permission", `--allow-fs-read=*`, "--input-type=module", "-e", script];
  const { stdout } = await runScript([process.execPath, ...flags], "--");
  assertEquals(stdout.includes("--allow-child-process"), true, stdout);
});

test(
  "esbuild makes the same of a file from machine code of an earlier process",
  here,
  () =>
    inDirectory(async (directory) => {
      const bundle = () =>
        new Promise<{ out: string; err: string }>((resolve, reject) => {
          const input = "src/lookup.ts";
          const args = [
            "--import",
            "./tests/_v8_hook.ts",
            "node_modules/esbuild-wasm/bin/esbuild",
            "--bundle",
            "--minify",
            input,
          ];
          const child = spawn(process.execPath, args, {
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
      await quiet(directory);
      for (let runs = 0; runs < 4 && !artifactsIn(directory).some((each) => isAtLeast(each, "profile")); runs++) {
        await bundle();
        await quiet(directory);
      }
      const warm = await bundle();
      // All that was executed, not only what V8 had come to by itself.
      assertGreater(Math.max(...artifactsIn(directory).map(({ length }) => length)), 2_000_000);
      assertEquals([cold.err, warm.err], ["from compiled\n", "from disk\n"]);
      assertStrictEquals(warm.out, cold.out);
    }),
);

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

test("the probe works where it is compiled", () => {
  assertStrictEquals(works(new WebAssembly.Module(PROBE)), true);
});

test("an artifact's grade takes the place of a byte that is always the same", () => {
  const artifact = () => Uint8Array.of(0x89, 6, 0xde, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5);
  assertEquals(ungraded(graded(artifact(), "profile")), artifact());
  const grades = Object.keys(GRADES) as (keyof typeof GRADES)[];
  assertEquals(grades.map((grade) => isAtLeast(graded(artifact(), "profile"), grade)), [true, true, false]);
  assertEquals(grades.map((grade) => isAtLeast(artifact(), grade)), [false, false, false]);
  assertThrows(() => graded(graded(artifact(), "full"), "full"), RangeError);
  assertEquals(withFlagsOf(artifact(), new Uint8Array(20)).subarray(12, 17), Uint8Array.of(0, 0, 0, 0, 5));
});

test("a profile names the functions whose budget was used", () => {
  const artifact = (...budgets: number[]) =>
    Uint8Array.from([1, 2, 3, ...new Uint8Array(Int32Array.from(budgets).buffer)]);
  assertEquals(profileOf(artifact(9, 8, 9, -1), 4), Uint8Array.of(0, 0, 2, 0, 2));
  assertEquals(profileOf(artifact(9, 9), 2), undefined);
  assertEquals(profileOf(artifact(9), 4), undefined);
  assertEquals(profileOf(artifact(), 0), undefined);
});
