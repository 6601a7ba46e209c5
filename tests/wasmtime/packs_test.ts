// The npm package of Wasmtime's library, installed as a user would.

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { packWheel } from "../../dev/wasmtime_packs.ts";
import { FOLDER, libraryOf, unpackWheel, VERSION, wheelHere, WHEELS } from "../../dev/wasmtime_wheels.ts";
import { inDirectory, ROOT, runScript, runtimes, thisRuntime } from "../_tools.ts";

const wheel = wheelHere();
const isUnpacked = wheel !== undefined && existsSync(libraryOf(wheel));
const options = { skip: isUnpacked ? false as const : "no wheel: `task test` gets it by pip", timeout: 120_000 };
const command = runtimes()[thisRuntime()]!;

test(
  "the package of this machine is found where npm or Bun has installed it",
  options,
  () =>
    inDirectory(async (directory) => {
      const tarball = packWheel(wheel!, join(directory, "packs"));
      const project = join(directory, "project");
      mkdirSync(project);
      writeFileSync(join(project, "package.json"), "{}");
      const [program, ...args] = thisRuntime().startsWith("Bun")
        ? [...command, "add", tarball]
        : ["npm", "install", "--no-audit", "--no-fund", "--offline", tarball];
      const installed = await runScript([program!], args[0]!, args.slice(1), {}, project);
      assertEquals(installed.code, 0, installed.stderr);
      const script = join(ROOT, "tests/wasmtime/_find.ts");
      const { stdout, stderr } = await runScript(command, script, [], { WASM_CACHE_WASMTIME: "" }, project);
      const { found: [{ path }] } = JSON.parse(stdout || `{"found":[{"path":${JSON.stringify(stderr)}}]}`);
      const folder = join(realpathSync(project), "node_modules", "@wasm-module-cache", `wasmtime-${wheel!.name}`);
      assertEquals(path, join(folder, wheel!.file));
      const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
      assertEquals(digest(path), digest(libraryOf(wheel!)));
      assertMatch(readFileSync(join(folder, "LICENSE"), "utf8"), /Apache License[\s\S]+LLVM Exceptions/);
      const { license, os, cpu, libc } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      assertEquals({ license, os, cpu, libc }, {
        license: "Apache-2.0 WITH LLVM-exception",
        os: [wheel!.os],
        cpu: [wheel!.cpu],
        libc: wheel!.libc && [wheel!.libc],
      });
    }),
);

test("there is a wheel for each machine, and each is another", () => {
  assertEquals(WHEELS.map(({ name }) => name).sort(), [
    "darwin-arm64",
    "darwin-x64",
    "linux-arm64",
    "linux-arm64-musl",
    "linux-x64",
    "linux-x64-musl",
    "win32-arm64",
    "win32-x64",
  ]);
  assertEquals(new Set(WHEELS.map(({ sha256 }) => sha256)).size, WHEELS.length);
});

const onUnix = { skip: process.platform === "win32" ? "needs a shell script" : false as const };

test("a wheel that is not the one that is known is never unpacked", onUnix, () =>
  inDirectory((directory) => {
    const name = `another-${randomUUID()}`;
    const wheel = { ...WHEELS[0]!, name };
    const python = join(directory, "python3");
    const file = `wasmtime-${VERSION}-py3-none-${wheel.platform}.whl`;
    // Instead of `pip download … --dest FOLDER …` it writes something else there; unpacking succeeds.
    const script = `#!/bin/sh
[ "$2" = zipfile ] && { mkdir "$5"; exit 0; }
while [ "$1" != --dest ]; do shift; done
echo another > "$2/${file}"
`;
    writeFileSync(python, script, { mode: 0o755 });
    const { PATH } = process.env;
    process.env.PATH = `${directory}:${PATH}`;
    try {
      assertThrows(() => unpackWheel(wheel), Error, "SHA-256");
    } finally {
      process.env.PATH = PATH;
    }
    assertEquals(readdirSync(FOLDER).filter((entry) => entry.includes(name)), [], "nothing is left behind");
  }));
