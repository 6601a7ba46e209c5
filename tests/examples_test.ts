// The examples, each run as its first lines say; and the image's program without Docker: filled as one user, used as
// another.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { inDirectory, ROOT, runScript, runtimes, thisRuntime } from "./_tools.ts";

const options = { timeout: 120_000 };
const here = thisRuntime();
const exampleFor = (...names: string[]) => ({
  ...options,
  skip: names.some((name) => here.startsWith(name)) ? false : `an example for ${names.join(" and ")}`,
});
const command = () => runtimes()[here]!;

/** A plugin that adds two numbers. */
const ADD = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f, 3, 2, 1, 0],
  ...[7, 7, 1, 3, 0x72, 0x75, 0x6e, 0, 0, 10, 9, 1, 7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b],
);

/** The same as a module that is long enough for every engine to keep. */
const LONG_ADD = Uint8Array.of(...ADD, 0, 0x8a, 0x27, 1, 97, ...new Uint8Array(5000));

test("examples are short", options, () => {
  for (const path of readdirSync(`${ROOT}/examples`, { recursive: true }) as string[]) {
    if (!/\.\w+$/.test(path)) continue;
    assert(readFileSync(`${ROOT}/examples/${path}`, "utf8").split("\n").length <= 61, path);
  }
});

async function lineOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout!) {
    text += chunk;
    const found = text.match(pattern);
    if (found) return found[1]!;
  }
  throw new Error(`not said: ${text}`);
}

for (const [name, file] of [["Deno", "deno_server.ts"], ["Bun", "bun_server.ts"]] as const) {
  test(`${file} serves plugins, each compiled once`, exampleFor(name), () =>
    inDirectory(async (folder) => {
      mkdirSync(`${folder}/plugins`);
      writeFileSync(`${folder}/plugins/add.wasm`, ADD);
      writeFileSync(`${folder}/plugins/bad.wasm`, "no module");
      const [program = "", ...args] = command();
      const child = spawn(program, [...args, `${ROOT}/examples/${file}`, `${folder}/plugins`, "0"], {
        env: { ...process.env, WASM_CACHE_DIR: `${folder}/cache` },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const port = await lineOf(child, /listening on (\d+)\n/);
      const get = async (path: string) => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`);
        return [response.status, await response.text()];
      };
      for (const a of [1, 2, 3]) assertEquals(await get(`/add?a=${a}&b=10`), [200, `${a + 10}\n`]);
      assertEquals(await get("/none"), [404, "no such plugin\n"]);
      assertEquals(await get("/bad"), [500, "plugin failed\n"]);
      assertEquals((await get("/../add"))[0], 200);
      const ended = once(child, "exit");
      process.kill(child.pid!, "SIGTERM");
      await ended;
    }));
}

test(
  "node_cli.mjs minifies under register, and knows nothing of it",
  exampleFor("Node 22", "Node 24"),
  () =>
    inDirectory(async (folder) => {
      writeFileSync(
        `${folder}/app.js`,
        "function add(first, second) {\n  return first + second;\n}\nconsole.log(add(1, 2));\n",
      );
      const env = { WASM_CACHE_DIR: `${folder}/cache`, WASM_CACHE_LOG: "summary" };
      const preloaded = [...command(), "--import", `${ROOT}/register.ts`];
      const { code, stderr, stdout } = await runScript(
        preloaded,
        `${ROOT}/examples/node_cli.mjs`,
        [`${folder}/app.js`],
        env,
      );
      assertStrictEquals(code, 0, stderr);
      assert(/^function add\((\w),(\w)\)\{return \1\+\2\}console\.log\(add\(1,2\)\);\n$/.test(stdout), stdout);
      assert(/^wasm-module-cache: 1 lookups \(1 compiled\)/m.test(stderr), stderr);
    }),
);

test("worker_pool.ts compiles once for all workers", options, () =>
  inDirectory(async (folder) => {
    writeFileSync(`${folder}/plugin.wasm`, ADD);
    const env = { WASM_CACHE_DIR: `${folder}/cache` };
    const path = `${ROOT}/examples/worker_pool.ts`;
    const { code, stderr, stdout } = await runScript(command(), path, [`${folder}/plugin.wasm`], env);
    assertStrictEquals(code, 0, stderr);
    const [sum, stats = ""] = stdout.split(/ (?=\{)/);
    assertEquals([Number(sum), JSON.parse(stats).compiled], [100 + (99 * 100) / 2, 1]);
  }));

test("metrics.ts counts by OpenTelemetry's API", options, async () => {
  const { code, stderr } = await runScript(command(), `${ROOT}/examples/metrics.ts`, []);
  assertStrictEquals(code, 0, stderr);
});

const isRoot = process.getuid?.() === 0;
const hasStrace = spawnSync("strace", ["-V"]).status === 0;
/** Whether any user may read this tree. */
const isPublic = isRoot && spawnSync("ls", [ROOT], { uid: 65534, gid: 65534 }).status === 0;
const imageOptions = {
  ...exampleFor("Node", "Bun"),
  ...(isPublic ? {} : { skip: "needs root, and a tree that others may read" }),
};

test(
  "the image's program finds what the build has made, as another user, and writes nothing",
  imageOptions,
  () =>
    inDirectory(async (folder) => {
      // What the Dockerfile does.
      chmodSync(folder, 0o755);
      mkdirSync(`${folder}/plugins`);
      writeFileSync(`${folder}/plugins/add.wasm`, LONG_ADD);
      const directory = `${folder}/cache`;
      const [program = "", ...args] = command();
      const engine = ["--engine", "auto", "--dir", directory];
      const warmed = await runScript([program, ...args], `${ROOT}/cli.ts`, [
        "warm",
        `${folder}/plugins/*.wasm`,
        ...engine,
      ]);
      assertStrictEquals(warmed.code, 0, warmed.stderr + warmed.stdout);
      spawnSync("chmod", ["-R", "a+rX", directory]);

      const runtime = `${folder}/runtime`;
      copyFileSync(program, runtime);
      chmodSync(runtime, 0o755);
      const traced = hasStrace ? ["strace", "-f", "-e", "trace=%file,ftruncate,fchmod,fchown", runtime] : [runtime];
      const serve = (path: string) =>
        spawnSync(traced[0]!, [...traced.slice(1), ...args, `${ROOT}/examples/image/serve.mjs`, directory, path], {
          uid: 65534,
          gid: 65534,
          cwd: folder,
          encoding: "utf8",
          env: { PATH: process.env.PATH, HOME: "/nonexistent", BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0" },
          maxBuffer: 64 * 1024 * 1024,
        });
      const { status, stderr, stdout } = serve(`${folder}/plugins/add.wasm`);
      assertEquals([status, stdout], [0, "disk 3\n"], stderr.slice(-2000));
      const calls = stderr.split("\n").filter((line) => line.includes(directory));
      if (hasStrace) assert(calls.length > 0, "nothing was traced");
      const writes = calls.filter((line) =>
        /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|\b(mkdir|mkdirat|rename\w*|unlink\w*|rmdir|link\w*|symlink\w*|chmod|fchmodat|chown|fchownat|utime\w*|truncate)\(/
          .test(line)
      );
      assertEquals(writes, []);

      writeFileSync(`${folder}/plugins/other.wasm`, Uint8Array.of(...LONG_ADD, 0, 2, 1, 97));
      const missing = serve(`${folder}/plugins/other.wasm`);
      assert(missing.status !== 0 && missing.stderr.includes("requireHit forbids it"), missing.stderr.slice(-2000));
    }),
);
