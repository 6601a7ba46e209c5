// Entries that an engine maps: the file that was checked is the file that it gets.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type Engine, ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import process from "node:process";
import { test } from "node:test";
import {
  bothWays,
  bytes,
  entriesIn,
  inDirectory,
  onlyEntry,
  payloadIn,
  type Resolve,
  runScript,
  runtimes,
  TextEngine,
  type TextModule,
  thisRuntime,
} from "../_tools.ts";

/** What the engine was given, each time. */
type Seen = { by: "bytes" | "file"; path?: string }[];

/** An engine that maps. */
function mapping(seen: Seen, before: (path: string) => void = () => {}): Engine<TextModule> {
  const engine = new TextEngine();
  return {
    id: engine.id,
    native: true,
    compile: (code) => engine.compile(code),
    serialize: (module) => engine.serialize(module),
    deserialize: (artifact) => {
      seen.push({ by: "bytes" });
      return engine.deserialize(artifact);
    },
    deserializeFile: (path) => {
      before(path);
      seen.push({ by: "file", path: readlinkSync(path) });
      const whole = readFileSync(path);
      return engine.deserialize(new Uint8Array(payloadIn(new Uint8Array(whole))));
    },
  };
}

/** One that takes whatever is in the file. */
function asGiven(seen: Seen): Engine<TextModule> {
  const deserializeFile = (path: string) => (seen.push({ by: "file", path }), { text: "hello" });
  return { ...mapping(seen), deserializeFile };
}

const linux = { skip: existsSync("/proc/self/fd") ? false as const : "the system has no path to an open file" };

async function lookUp(
  resolve: Resolve,
  directory: string,
  engine: Engine<TextModule>,
  options: Partial<ModuleCacheOptions<TextModule>> = {},
): Promise<string> {
  const cache = new ModuleCache<TextModule>({ engine, directory, onWarning: () => {}, ...options as object });
  const { from, module } = await resolve(cache, bytes("hello"));
  assertStrictEquals(module.text, "hello");
  await cache.flush();
  return from;
}

bothWays("an engine that maps gets the very file that was checked", (resolve) =>
  inDirectory(async (directory) => {
    const seen: Seen = [];
    assertStrictEquals(await lookUp(resolve, directory, mapping(seen)), "compiled");
    const path = onlyEntry(directory);
    // While it is looked at, another takes its name.
    const replace = () => {
      writeFileSync(`${directory}/other`, "another file", { mode: 0o600 });
      renameSync(`${directory}/other`, path);
    };
    assertStrictEquals(await lookUp(resolve, directory, mapping(seen, replace)), "disk");
    assertEquals(seen.map(({ by }) => by), ["file"]);
    assertStrictEquals(await lookUp(resolve, directory, mapping(seen)), "recompiled");
    assertStrictEquals(await lookUp(resolve, directory, mapping(seen)), "disk");
    assertEquals(seen.map(({ by, path: of }) => [by, of === path]), [["file", false], ["file", true]]);
  }), linux);

bothWays("no engine gets a file that is damaged", (resolve) =>
  inDirectory(async (directory) => {
    const seen: Seen = [];
    await lookUp(resolve, directory, mapping(seen));
    const path = onlyEntry(directory);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = new Uint8Array(whole);
      damaged[at]! ^= 1 << at % 8;
      writeFileSync(path, damaged);
      assertStrictEquals(await lookUp(resolve, directory, mapping(seen)), "recompiled", `byte ${at}`);
    }
    assertEquals(seen, []);
  }), linux);

// So long that it is read in parts; the second so long that Deno does, too.
for (const bytes of [1_500_001, 17_000_000]) {
  bothWays(`damage is found wherever it is in ${bytes} bytes`, (resolve) =>
    inDirectory(async (directory) => {
      const seen: Seen = [];
      const engine = { ...mapping(seen), serialize: () => new Uint8Array(bytes).fill(97) };
      await lookUp(resolve, directory, engine);
      assertStrictEquals(await lookUp(resolve, directory, asGiven(seen)), "disk");
      const path = onlyEntry(directory);
      const whole = readFileSync(path);
      for (const at of [0, 524_287, 524_288, 1_048_576, bytes - 1]) {
        const damaged = new Uint8Array(whole);
        damaged[at]! ^= 1;
        writeFileSync(path, damaged);
        assertStrictEquals(await lookUp(resolve, directory, engine), "recompiled", `byte ${at}`);
      }
      writeFileSync(path, whole.subarray(1));
      assertStrictEquals(await lookUp(resolve, directory, engine), "recompiled");
      assertEquals(seen.map(({ by }) => by), ["file"]);
    }), linux);
}

test(
  "without the permission to call C Deno has no path to an open file: the engine gets bytes",
  linux,
  () =>
    inDirectory(async (directory) => {
      const command = runtimes()[thisRuntime()]!;
      const flags = ["--no-prompt", "--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
      const limited = command.flatMap((part) => part === "-A" ? flags : [part]);
      const { code, stderr, stdout } = await runScript(limited, "tests/disk/_mapped.ts", [directory]);
      assertStrictEquals(code, 0, stderr);
      assertEquals(JSON.parse(stdout), ["compiled", "Deno" in globalThis ? "bytes" : "file"]);
    }),
);

/** Makes the last change of an entry old enough to be trusted: its times cannot be set, so it is waited for. */
async function settle(path: string): Promise<void> {
  while (Date.now() - statSync(path).ctimeMs < 2050) await new Promise((resolve) => setTimeout(resolve, 50));
}

const trusting = { trustUnchanged: true };

bothWays(
  "an unchanged entry is not read again where that is wanted, and a changed one is",
  (resolve) =>
    inDirectory(async (directory) => {
      const seen: Seen = [];
      await lookUp(resolve, directory, mapping(seen));
      const path = onlyEntry(directory);
      await settle(path);
      // The first checks it in full.
      assertStrictEquals(await lookUp(resolve, directory, mapping(seen), trusting), "disk");
      const whole = readFileSync(path);
      const { ctimeMs, ino } = statSync(path);
      const record = readFileSync(`${directory}/v1/checked`, "utf8");
      assert(record.includes(` ${ino} ${whole.length} ${Math.floor(ctimeMs / 1000)}\n`), record);
      assertStrictEquals(await lookUp(resolve, directory, mapping(seen), trusting), "disk");
      // Without the option, with a secret, or when anything about the file changes, it is.
      const damaged = new Uint8Array(whole);
      damaged[0]! ^= 1;
      writeFileSync(path, damaged);
      assertStrictEquals(await lookUp(resolve, directory, mapping(seen), trusting), "recompiled");
      assertEquals(seen.map(({ by }) => by), ["file", "file"]);
    }),
  linux,
);

bothWays(
  "a record that cannot be written costs a check, and nothing else",
  (resolve) =>
    inDirectory(async (directory) => {
      const seen: Seen = [];
      await lookUp(resolve, directory, mapping(seen));
      await settle(onlyEntry(directory));
      mkdirSync(`${directory}/v1/checked/full`, { recursive: true });
      for (let i = 0; i < 2; i++) {
        assertStrictEquals(await lookUp(resolve, directory, mapping(seen), { ...trusting, strict: true }), "disk");
      }
      assertEquals(seen.map(({ by }) => by), ["file", "file"]);
    }),
  linux,
);

bothWays(
  "a record is worth nothing for another file, nor where others could have written it",
  (resolve) =>
    inDirectory(async (directory) => {
      const seen: Seen = [];
      await lookUp(resolve, directory, mapping(seen));
      const path = onlyEntry(directory);
      const whole = readFileSync(path);
      const forge = (of: string) => {
        const { ctimeMs, ino, size } = statSync(of);
        const key = of.split("/").slice(-2).join("");
        writeFileSync(`${directory}/v1/checked`, `${key} ${ino} ${size} ${Math.floor(ctimeMs / 1000)}\n`, {
          mode: 0o600,
        });
      };
      // A record that says so of a damaged file would be taken: who can write it can write the entry.
      const damaged = new Uint8Array(whole);
      damaged[whole.length - 1]! ^= 1;
      writeFileSync(path, damaged);
      forge(path);
      assertStrictEquals(await lookUp(resolve, directory, mapping(seen), trusting), "disk");
      if (process.platform !== "win32") {
        chmodSync(`${directory}/v1/checked`, 0o666);
        assertStrictEquals(await lookUp(resolve, directory, mapping(seen), trusting), "recompiled");
      }
      forge(onlyEntry(directory));
      utimesSync(onlyEntry(directory), 1, 1);
      rmSync(`${directory}/v1/checked`);
      assertStrictEquals(await lookUp(resolve, directory, mapping(seen), trusting), "disk");
      assertStrictEquals(entriesIn(directory).length, 1);
    }),
  linux,
);
