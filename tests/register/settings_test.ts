// What the variables of `register` do, beyond those that its other tests set.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";
import { DECLARE_CODE, registered, type Served } from "../_register.ts";
import { entriesIn, inDirectory, thisRuntime } from "../_tools.ts";

const options = { timeout: 60_000 };

/** A program that compiles in each way, and says what threw. */
const PROGRAM = `${DECLARE_CODE}
  const attempts = [
    () => new WebAssembly.Module(CODE),
    () => WebAssembly.compile(CODE),
    () => WebAssembly.instantiate(CODE),
  ];
  for (const attempt of attempts) {
    const promise = (async () => attempt())();
    console.log(await promise.then(() => "module", (error) => error.name + " " + error.code));
  }
`;
const CODE = new Function(`${DECLARE_CODE} return CODE;`)() as Uint8Array<ArrayBuffer>;
const MODULES = "module\nmodule\nmodule";

function run(env: Record<string, string>): Promise<Served> {
  return registered({ "program.mjs": PROGRAM }, env);
}

test("WASM_CACHE_READ_ONLY reads what is there and writes nothing", options, () =>
  inDirectory(async (directory) => {
    const env = { WASM_CACHE_DIR: `${directory}/cache`, WASM_CACHE_READ_ONLY: "1" };
    assertEquals((await run(env)).from, ["compiled", "memory", "memory"]);
    assert(!existsSync(`${directory}/cache`));
    assertEquals((await run({ ...env, WASM_CACHE_READ_ONLY: "0" })).from, ["compiled", "memory", "memory"]);
    assertStrictEquals(entriesIn(directory).length, 1);
    assertEquals((await run({ ...env, WASM_CACHE_READ_ONLY: "true" })).from, ["disk", "memory", "memory"]);
  }));

test(
  "WASM_CACHE_SECRET_FILE signs entries with the bytes of the file as they are",
  options,
  () =>
    inDirectory(async (directory) => {
      const [secretFile, cache] = [`${directory}/secret`, `${directory}/cache`];
      writeFileSync(secretFile, "a word\n", { mode: 0o600 });
      const env = { WASM_CACHE_DIR: cache, WASM_CACHE_SECRET_FILE: secretFile };
      assertEquals((await run(env)).from, ["compiled", "memory", "memory"]);
      assertEquals((await run(env)).from, ["disk", "memory", "memory"]);
      // The same by hand; without the newline it is another.
      const from = async (secret: Uint8Array) =>
        (await new ModuleCache({ directory: cache, readOnly: true, secret, onWarning() {} }).resolve(CODE)).from;
      assertStrictEquals(await from(new Uint8Array(readFileSync(secretFile))), "disk");
      assertStrictEquals(await from(new TextEncoder().encode("a word")), "recompiled");
    }),
);

test(
  "a secret that cannot be had costs the disk, and is told of once",
  options,
  () =>
    inDirectory(async (directory) => {
      writeFileSync(`${directory}/empty`, "");
      mkdirSync(`${directory}/folder`);
      writeFileSync(`${directory}/large`, new Uint8Array(64 * 1024 + 1));
      for (const secretFile of ["missing", "empty", "folder", "large"]) {
        const env = {
          WASM_CACHE_DIR: `${directory}/cache`,
          WASM_CACHE_SECRET_FILE: `${directory}/${secretFile}`,
          WASM_CACHE_LOG: "",
        };
        const { code, stdout, stderr } = await run(env);
        assertEquals([code, stdout.trim()], [0, MODULES], stderr);
        assertStrictEquals(stderr.match(/^wasm-module-cache: .*$/gm)?.length, 1, stderr);
        assert(stderr.includes(`${directory}/${secretFile}`), stderr);
        assert(!existsSync(`${directory}/cache`));
        const strict = await run({ ...env, WASM_CACHE_STRICT: "1" });
        assertEquals([strict.code, strict.stdout.trim()], [0, "CacheError IO\n".repeat(3).trim()], strict.stderr);
      }
    }),
);

test("a secret that may not be read costs the disk, without a prompt", options, () =>
  inDirectory(async (directory) => {
    if (!thisRuntime().startsWith("Deno")) return;
    const secretFile = `${directory}/secret`;
    writeFileSync(secretFile, "a word");
    const env = { WASM_CACHE_DIR: `${directory}/cache`, WASM_CACHE_SECRET_FILE: secretFile, WASM_CACHE_LOG: "" };
    const flags = ["--no-prompt", `--deny-read=${secretFile}`];
    const { stdout, stderr } = await registered({ "program.mjs": PROGRAM }, env, { flags });
    assertEquals([stdout.trim(), existsSync(`${directory}/cache`)], [MODULES, false]);
    assertStrictEquals(stderr.match(/^wasm-module-cache: .*$/gm)?.length, 1, stderr);
  }));

test("a secret that nothing is signed with is not read", options, () =>
  inDirectory(async (directory) => {
    const { stdout, stderr } = await run({
      WASM_CACHE_SECRET_FILE: `${directory}/missing`,
      WASM_CACHE_DIR: "",
      WASM_CACHE_LOG: "",
    });
    assertEquals([stdout.trim(), stderr.includes("wasm-module-cache")], [MODULES, false], stderr);
  }));

test(
  "WASM_CACHE_STRICT throws faults out of the calls, and tells of those in the background",
  options,
  () =>
    inDirectory(async (directory) => {
      const file = `${directory}/file`;
      writeFileSync(file, "not a directory");
      const env = { WASM_CACHE_DIR: file, WASM_CACHE_LOG: "" };
      const lenient = await run(env);
      assertEquals([lenient.stdout.trim(), lenient.stderr.includes("wasm-module-cache")], [MODULES, false]);
      // The host engine writes when the call is over.
      const strict = await run({ ...env, WASM_CACHE_STRICT: "1" });
      assertStrictEquals(strict.stdout.trim(), MODULES);
      assert(/^wasm-module-cache: IO /m.test(strict.stderr), strict.stderr);
      await run({ WASM_CACHE_DIR: `${directory}/cache` });
      for (const path of entriesIn(`${directory}/cache`)) writeFileSync(path, "damaged");
      const damaged = await run({ WASM_CACHE_DIR: `${directory}/cache`, WASM_CACHE_STRICT: "1" });
      assertStrictEquals(damaged.stdout.split("\n")[0], "CacheError CORRUPT");
    }),
);

test(
  "what makes no sense is ignored, and said unasked",
  options,
  () =>
    inDirectory(async (directory) => {
      const env = {
        WASM_CACHE_DIR: directory,
        WASM_CACHE_ENGINE: "toString",
        WASM_CACHE_MAX_BYTES: "1 GiB",
        WASM_CACHE_READ_ONLY: "maybe",
        WASM_CACHE_STRICT: "__proto__",
      };
      const said = (stderr: string) => stderr.match(/(?<=^wasm-module-cache: )WASM_CACHE\w*(?= is ignored)/gm);
      const { from, stderr } = await run(env);
      assertEquals([said(stderr), from.length], [Object.keys(env).slice(1), 3], stderr);
      const others = await run({ WASM_CACHE_DIR: directory, WASM_CACHE: "0", WASM_CACHE_LOG: "debug" });
      assertEquals(said(others.stderr), ["WASM_CACHE", "WASM_CACHE_LOG"]);
      const untraced = await run({ ...env, WASM_CACHE_LOG: "" });
      assertEquals([untraced.stdout.trim(), said(untraced.stderr)], [MODULES, Object.keys(env).slice(1)]);
    }),
);

test(
  "why a directory is refused for machine code is told once, unasked",
  options,
  () =>
    inDirectory(async (directory) => {
      if (process.platform === "win32") return;
      const cache = `${directory}/cache`;
      mkdirSync(cache);
      chmodSync(cache, 0o777);
      const refused = await registered({
        "program.mjs": `${DECLARE_CODE}
        for (let i = 0; i < 3; i++) new WebAssembly.Module(Uint8Array.from([...CODE, 0, 3, 1, 98, i]));`,
      }, { WASM_CACHE_DIR: cache, WASM_CACHE_ENGINE: "auto", WASM_CACHE_LOG: "" });
      const lines = refused.stderr.match(/^wasm-module-cache: UNTRUSTED .*$/gm) ?? [];
      assertStrictEquals(lines.length, v8Engine.available().available ? 1 : 0, refused.stderr);
      if (lines.length > 0) assertEquals(readdirSync(cache), []);
    }),
);

test("modules of less than 64 KB are left alone, or of less than WASM_CACHE_MIN_BYTES says", options, async () => {
  const text = `
    for (const length of [8191, 8192, 65535, 65536]) {
      const code = new Uint8Array(length);
      const rest = length - 12;
      code.set([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14, 1, 97]);
      new WebAssembly.Module(code);
      await WebAssembly.compileStreaming(new Response(code, {
        headers: { "content-type": "application/wasm", "content-length": String(length) },
      }));
    }
  `;
  for (const [least, served] of [["", 1], ["8192", 3], ["65537", 0], ["8 KB", 1], ["0", 4]] as const) {
    const { from, stderr } = await registered({ "sizes.mjs": text }, { WASM_CACHE_MIN_BYTES: least });
    assertEquals(from, Array(served).fill(["compiled", "memory"]).flat(), stderr);
  }
});
