// Where a cache is kept that nobody named a directory for.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { defaultDirectory, get, ModuleCache } from "@wasm/module-cache";
import { existsSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import process from "node:process";
import { test } from "node:test";
import { bytes, entriesIn, inDirectory, ROOT, runScript, runtimes, TextEngine, thisRuntime } from "./_tools.ts";

const options = { timeout: 60_000 };
const isDeno = thisRuntime().startsWith("Deno");

/** What a process of its own says, in an environment that names nothing but what is given. */
async function found(env: Record<string, string>, denoFlags = ["-A"]): Promise<string> {
  return await inDirectory(async (folder) => {
    const path = `${folder}/program.mjs`;
    writeFileSync(
      path,
      `import { defaultDirectory } from ${JSON.stringify(`file://${ROOT}/src/platform/environment.ts`)};
       console.log(String(defaultDirectory()));`,
    );
    const [runtime = ""] = runtimes()[thisRuntime()]!;
    const deno = ["run", "--no-prompt", "--no-lock", "--no-config", ...denoFlags];
    const unset = { HOME: "", XDG_CACHE_HOME: "", WASM_CACHE_DIR: "" };
    // Neither runtime's own caches may go into the working directory, where they have no home.
    const own = { DENO_DIR: `${folder}/deno`, BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" };
    const command = [runtime, ...(isDeno ? deno : [])];
    const { code, stdout, stderr } = await runScript(command, path, [], { ...unset, ...own, ...env });
    assertStrictEquals(code, 0, stderr);
    assertStrictEquals(stderr.replace(/^.*Download.*\n/gm, ""), "");
    return stdout.trim();
  });
}

const isUnix = process.platform === "linux";

test("the default directory is the user's cache folder, where the environment has it", options, async () => {
  if (!isUnix) return;
  assertStrictEquals(await found({ HOME: "/home/a" }), "/home/a/.cache/wasm-module-cache");
  assertStrictEquals(await found({ HOME: "/home/a", XDG_CACHE_HOME: "/b c" }), "/b c/wasm-module-cache");
  assertStrictEquals(await found({ HOME: "/home/a", XDG_CACHE_HOME: "relative" }), "/home/a/.cache/wasm-module-cache");
  assertStrictEquals(await found({ XDG_CACHE_HOME: "/b" }), "/b/wasm-module-cache");
});

test("WASM_CACHE_DIR goes before it, and is made absolute", options, async () => {
  if (!isUnix) return;
  assertStrictEquals(await found({ HOME: "/home/a", WASM_CACHE_DIR: "/c" }), "/c");
  assertStrictEquals(await found({ HOME: "/home/a", WASM_CACHE_DIR: "d/e" }), `${ROOT}/d/e`);
  assertStrictEquals(await found({ HOME: "/home/a", WASM_CACHE_DIR: "" }), "/home/a/.cache/wasm-module-cache");
});

test("without HOME the list of users says where the user's home is", options, async () => {
  if (!isUnix) return;
  const expected = `${userInfo().homedir}/.cache/wasm-module-cache`;
  assertStrictEquals(await found({}), expected);
});

test("the default directory of a program that may know nothing is not known, without a prompt", options, async () => {
  if (!isDeno) return;
  // Deno's child_process gives a Deno all permissions that was given none.
  const none = ["--allow-sys=cpus"];
  assertStrictEquals(await found({ HOME: "/home/a", WASM_CACHE_DIR: "/c" }, none), "undefined");
  assertStrictEquals(await found({ HOME: "/home/a" }, ["--allow-env=HOME"]), "/home/a/.cache/wasm-module-cache");
  assertStrictEquals(await found({ WASM_CACHE_DIR: "d" }, ["--allow-env=WASM_CACHE_DIR"]), "d");
});

test(
  "a cache in the default directory keeps entries there, and one without is memory only",
  options,
  () =>
    inDirectory((folder) => {
      const { WASM_CACHE_DIR } = process.env;
      try {
        process.env.WASM_CACHE_DIR = `${folder}/cache`;
        assertStrictEquals(defaultDirectory(), `${folder}/cache`);
        assert(!existsSync(`${folder}/cache`));
        assertEquals(new ModuleCache({ directory: defaultDirectory() }).status(), { disk: "read-write" });
        assertStrictEquals(new ModuleCache({ directory: undefined }).status().disk, "off");
      } finally {
        if (WASM_CACHE_DIR === undefined) delete process.env.WASM_CACHE_DIR;
        else process.env.WASM_CACHE_DIR = WASM_CACHE_DIR;
      }
    }),
);

test('directory: "default" is that directory, and a folder of that name is not', options, async () => {
  await inDirectory(async (folder) => {
    const before = process.env.WASM_CACHE_DIR;
    process.env.WASM_CACHE_DIR = `${folder}/chosen`;
    try {
      await new ModuleCache({ engine: new TextEngine(), directory: "default", strict: true }).resolve(bytes("a"));
      assertStrictEquals((await get(new TextEngine(), bytes("a"), "default")).text, "a");
      assertStrictEquals(entriesIn(`${folder}/chosen`).length, 1);
      assertStrictEquals(existsSync("default"), false);
    } finally {
      if (before === undefined) delete process.env.WASM_CACHE_DIR;
      else process.env.WASM_CACHE_DIR = before;
    }
  });
});
