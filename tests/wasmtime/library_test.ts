// Where Wasmtime's library is found, and what a process lacks to use it.

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { findLibrary, target, whyNotHere } from "../../src/wasmtime/library.ts";
import { inDirectory, ROOT, runScript, runtimes, thisRuntime } from "../_tools.ts";

const VARIABLE = "WASM_CACHE_WASMTIME";
const SCRIPT = join(ROOT, "tests/wasmtime/_find.ts");
const runtime = thisRuntime();
const command = runtimes()[runtime]!;
const { os, arch, isMusl } = target();
const file = { linux: "libwasmtime.so", darwin: "libwasmtime.dylib", win32: "wasmtime.dll" }[os] ?? "";
const name = `@wasm-module-cache/wasmtime-${os}-${arch}${isMusl ? "-musl" : ""}`;

interface Found {
  readonly found: readonly { path?: string; reason?: string }[];
  readonly why?: string;
}

async function findIn(cwd: string, value = "", args: string[] = [], script = SCRIPT, by = command): Promise<Found> {
  const { code, stdout, stderr } = await runScript(by, script, args, { [VARIABLE]: value }, cwd);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

/** A file that nobody opens. */
function put(...parts: string[]): string {
  const path = join(...parts);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, "library");
  return realpathSync(path);
}

test("findLibrary takes the option, as path or URL, and follows links", () =>
  inDirectory((directory) => {
    const path = put(directory, "a b", file);
    const link = join(directory, "link");
    symlinkSync(path, link);
    for (const option of [path, link, pathToFileURL(path)]) assertEquals(findLibrary(option), { path });
  }));

test("findLibrary takes nothing else where the option or the variable names no file", () =>
  inDirectory(async (directory) => {
    put(directory, "node_modules", name, file);
    const there = put(directory, file);
    const before = process.env[VARIABLE];
    process.env[VARIABLE] = there;
    try {
      assertEquals(findLibrary(), { path: there });
      for (const option of [join(directory, "missing"), directory, ""]) {
        assertEquals(Object.keys(findLibrary(option)), ["reason"], option);
      }
    } finally {
      if (before === undefined) delete process.env[VARIABLE];
      else process.env[VARIABLE] = before;
    }
    const { found: [found] } = await findIn(directory, join(directory, "missing"));
    assertEquals(Object.keys(found!), ["reason"]);
  }));

const removable = { skip: os === "win32" ? "a working directory cannot be removed" : false as const };

test(
  "findLibrary gives an answer where the working directory was removed",
  removable,
  () =>
    inDirectory(async (directory) => {
      mkdirSync(join(directory, "gone"));
      const script = join(directory, "main.ts");
      writeFileSync(script, `await import(${JSON.stringify(pathToFileURL(SCRIPT).href)});`);
      const path = put(directory, "node_modules", name, file);
      const { found } = await findIn(directory, "", [join(directory, "gone"), "removed"], script);
      assertEquals(found, [{ path }, { path }]);
    }),
);

test("findLibrary rejects an option that cannot be a path", () => {
  for (const option of [5, null, "a\0b", new URL("https://example.com/a"), "file:///a"]) {
    assertThrows(() => findLibrary(option as string), TypeError);
  }
});

test("findLibrary resolves a relative variable once", () =>
  inDirectory(async (directory) => {
    const path = put(directory, "lib", file);
    mkdirSync(join(directory, "other"));
    const { found } = await findIn(directory, `lib/${file}`, [join(directory, "other")]);
    assertEquals(found, [{ path }, { path }]);
  }));

test("findLibrary finds the package above the working directory, or above the program", () =>
  inDirectory(async (directory) => {
    const path = put(directory, "node_modules", name, file);
    const inner = join(directory, "a", "b");
    mkdirSync(inner, { recursive: true });
    assertEquals((await findIn(inner)).found, [{ path }]);
    const script = join(inner, "main.ts");
    writeFileSync(script, `await import(${JSON.stringify(pathToFileURL(SCRIPT).href)});`);
    assertEquals((await findIn(ROOT, "", [], script)).found, [{ path }]);
    const other = put(directory, "other", file);
    assertEquals((await findIn(inner, other)).found, [{ path: other }], "the variable comes first");
  }));

test("whyNotHere tells which runtimes and machines can", () => {
  const isServed = os === "linux" && arch === "x64" && !isMusl;
  const hasCalls = !/^Node 2[0-5]\./.test(runtime);
  assertEquals(whyNotHere() === undefined, isServed && hasCalls, whyNotHere());
});

const onDeno = { skip: runtime.startsWith("Deno") ? false as const : "permissions of Deno" };

test(
  "whyNotHere never prompts on Deno, and names the permission that is missing",
  onDeno,
  () =>
    inDirectory(async (directory) => {
      const path = put(directory, file);
      const find = (...flags: string[]) =>
        findIn(
          directory,
          path,
          [],
          SCRIPT,
          command.flatMap((each) => each === "-A" ? ["--no-prompt", ...flags] : [each]),
        );
      const all = await find("--allow-ffi", "--allow-read", "--allow-env");
      assertEquals(all.found, [{ path }]);
      for (const flags of [["--allow-read"], ["--allow-read", `--allow-ffi=${path}`]]) {
        assertMatch((await find("--allow-env", ...flags)).why ?? "", /--allow-ffi/);
      }
      const scoped = await find("--allow-env", "--allow-ffi", `--allow-read=${ROOT},${directory}`);
      assertMatch(scoped.why ?? "", /--allow-read/);
      assertMatch(scoped.found[0]!.reason ?? "", /--allow-read/);
      const withoutVariable = await find("--allow-ffi", "--allow-read");
      assertEquals(withoutVariable.found[0]!.path === path, false);
    }),
);

test(
  "findLibrary takes what Deno resolves the package to where there is no node_modules",
  onDeno,
  () =>
    inDirectory(async (directory) => {
      const path = put(directory, "cache", file);
      const config = join(directory, "deno.json");
      writeFileSync(config, JSON.stringify({ imports: { [name]: pathToFileURL(path).href } }));
      const by = [command[0]!, "run", "-A", "--no-lock", "--config", config];
      assertEquals((await findIn(directory, "", [], SCRIPT, by)).found, [{ path }]);
    }),
);

const onNode26 = { skip: /^Node (2[6-9]|[3-9]\d)\./.test(runtime) ? false as const : "permissions of Node 26" };

test("whyNotHere names the permission that is missing on Node", onNode26, async () => {
  const allowed = [...command, "--permission", "--allow-fs-read=*"];
  assertMatch((await findIn(ROOT, "", [], SCRIPT, allowed)).why ?? "", /--allow-ffi/);
  const { why } = await findIn(ROOT, "", [], SCRIPT, [...allowed, "--allow-ffi"]);
  assertEquals(why, whyNotHere());
});
