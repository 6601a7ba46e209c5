// Processes that make artifacts: what they refuse, what they leave, and who waits for them.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { wholeProfile } from "../../src/v8/artifact.ts";
import { identity } from "../../src/v8/identity.ts";
import { makeArtifact, verified } from "../../src/v8/processes.ts";
import { inDirectory, ROOT, runScript } from "../_tools.ts";
import { here, inFull, onLinux, PADDED } from "../_v8_tools.ts";

const order = { grade: "full", code: PADDED } as const;

test(
  "an artifact is loaded before it is given, and a damaged one is not taken",
  here,
  () =>
    inDirectory(async (directory) => {
      const id = identity();
      const artifact = await makeArtifact({ id, ...order }, directory);
      assertEquals(await verified({ id, ...order, snapshot: artifact }, directory), artifact);
      const damages = {
        "without its code": artifact.map((byte, i) => i < 40 ? byte : 0xcc),
        "too short": artifact.slice(0, 60),
        "empty": new Uint8Array(),
      };
      for (const [name, snapshot] of Object.entries(damages)) {
        await assertRejects(() => verified({ id, ...order, snapshot }, directory), Error, "verify", name);
      }
      await assertRejects(() => verified({ id: "other", ...order, snapshot: artifact }, directory), Error, "flags");
      assertEquals(readdirSync(directory), []);
    }),
);

test(
  "a profile is read from a folder whose name nobody can compute, and not through links",
  inFull,
  () =>
    inDirectory(async (directory) => {
      const script = "new WebAssembly.Module(new Uint8Array(JSON.parse(process.argv[1])))";
      const args = ["--experimental-wasm-pgo-from-file", "-e", script, JSON.stringify([...PADDED])];
      const output = execFileSync(process.execPath, args, { cwd: directory, encoding: "utf8" });
      const name = output.match(/profile-wasm-[0-9a-f]{8}/g)!.at(-1)!;
      symlinkSync(`${directory}/outside`, `${directory}/${name}`);
      const artifact = await makeArtifact({ id: identity(), ...order, profile: wholeProfile(2) }, directory);
      assert(artifact.length > 100);
      assertEquals([existsSync(`${directory}/outside`), readdirSync(directory)], [false, [name]]);
    }),
);

test("nothing waits for a process that could not be started", here, () =>
  inDirectory(async (directory) => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const before = timers();
    const making = makeArtifact({ id: identity(), ...order }, directory);
    // The first process has begun; the second finds no folder to work in.
    rmSync(directory, { recursive: true });
    await assertRejects(() => making, Error, "ENOENT");
    assertStrictEquals(timers(), before);
  }));

test(
  "without descriptors there is an error, and nothing is left that waits",
  onLinux,
  () =>
    inDirectory(async (directory) => {
      const limited = ["bash", "-c", 'ulimit -n 64; exec "$0" "$@"', process.execPath];
      const { code, stdout, stderr } = await runScript(limited, `${ROOT}/tests/v8/_no_descriptors.ts`, [directory]);
      assertEquals([code, stdout.trim()], [0, "EMFILE, 0 unheard, 0 timers"], stderr);
    }),
);

test(
  "what is preloaded into the program, by options or NODE_OPTIONS, is not into its processes",
  inFull,
  () =>
    inDirectory(async (directory) => {
      const log = `${directory}/preloaded`;
      const preload = `--import=${pathToFileURL(`${ROOT}/tests/_preloaded.mjs`)}`;
      for (const NODE_OPTIONS of ["", preload]) {
        const env = { NODE_OPTIONS, PRELOADED_LOG: log };
        const command = [process.execPath, preload];
        const { code, stderr } = await runScript(command, "tests/_v8_program.ts", [`${directory}/cache`, "warm"], env);
        assertEquals([code, stderr], [0, ""]);
        rmSync(`${directory}/cache`, { recursive: true });
        const processes = readFileSync(log, "utf8").trim().split("\n");
        assertEquals(processes.filter((line) => !line.includes("_v8_program.ts")), []);
        assert(processes.length > 0);
      }
    }),
);
