// The command line: what each command prints and changes, its exit codes, and Ctrl-C.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ModuleCache } from "@wasm/module-cache";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "../../src/cli/run.ts";
import { commandHelp, HELP } from "../../src/cli/help.ts";
import { age } from "../disk/_small.ts";
import { withServer } from "../_server.ts";
import { EMPTY_MODULE, entriesIn, inDirectory, ROOT, runScript, runtimes, thisRuntime } from "../_tools.ts";

const options = { timeout: 60_000 };

/** A command's exit code, and what it printed. */
async function ran(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [[], []] as [string[], string[]];
  const screen = { out: (line: string) => void out.push(line), err: (line: string) => void err.push(line) };
  const code = await run(args, { screen });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

/** A folder with three modules and a directory; commands use the host's engine. */
async function withModules(
  body: (call: (...args: string[]) => ReturnType<typeof ran>, folder: string, directory: string) => Promise<void>,
): Promise<void> {
  await inDirectory(async (folder) => {
    mkdirSync(`${folder}/modules`);
    for (const [i, name] of ["a", "b", "c"].entries()) {
      writeFileSync(`${folder}/modules/${name}.wasm`, Uint8Array.of(...EMPTY_MODULE, 0, 2, 1, 97 + i));
    }
    const directory = `${folder}/cache`;
    await body((...args) => ran(...args, "--dir", directory, "--engine", "host"), folder, directory);
  });
}

test(
  "warm takes files, patterns and URLs, and says where each came from",
  options,
  () =>
    withModules(async (call, folder, directory) => {
      const first = await call("warm", `${folder}/modules/a.wasm`);
      assertEquals([first.code, first.err], [0, ""]);
      assert(/^FROM +TIME +MODULE\ncompiled +\S+ +a\.wasm$/.test(first.out), first.out);
      assertStrictEquals(entriesIn(directory).length, 1);
      const second = await call("warm", `${folder}/modules/*.wasm`, pathToFileURL(`${folder}/modules/a.wasm`).href);
      assertStrictEquals(second.code, 0, second.err);
      assertEquals(second.out.match(/^(disk|compiled).* \w\.wasm$/gm)?.map((line) => line.split(/ +/)[0]), [
        "disk",
        "compiled",
        "compiled",
        "disk",
      ]);
      assertStrictEquals(entriesIn(directory).length, 3);
    }),
);

test(
  "warm goes on after a failure, says why, and ends with 1",
  options,
  () =>
    withModules(async (call, folder, directory) => {
      writeFileSync(`${folder}/modules/b.wasm`, "no module");
      const { code, out } = await call("warm", `${folder}/none.wasm`, `${folder}/modules/*.wasm`, "--concurrency", "2");
      assertStrictEquals(code, 1);
      assertEquals(out.match(/^FAILED (\S+): .+$/gm)?.map((line) => line.split(":")[0]!).sort(), [
        "FAILED b.wasm",
        "FAILED none.wasm",
      ]);
      assertStrictEquals(entriesIn(directory).length, 2);
      const json = JSON.parse((await call("warm", `${folder}/none.wasm`, "--json")).out);
      assertEquals([json.length, typeof json[0].error], [1, "string"]);
    }),
);

test("ls, info and stats tell what is there", options, () =>
  withModules(async (call, folder, directory) => {
    for (const command of ["ls", "stats"]) assertEquals(await call(command), { code: 0, out: "No entries.", err: "" });
    await call("warm", `${folder}/modules/*.wasm`);
    const entries = JSON.parse((await call("ls", "--json")).out);
    assertStrictEquals(entries.length, 3);
    for (const { engineId, key, path, size } of entries) {
      assertEquals([engineId, size, path.endsWith(key.slice(2))], ["host", statSync(path).size, true]);
    }
    age(entries[0].path, 3 * 24 * 3600);
    const listed = (await call("ls")).out.split("\n");
    assertEquals([listed.length, listed[0]!.split(/ +/)], [4, ["KEY", "SIZE", "COMPILE", "USED", "ENGINE"]]);
    assert(listed[3]!.startsWith(entries[0].key.slice(0, 12)) && listed[3]!.includes("3d ago"), listed[3]);
    assert(listed[1]!.includes("<1h ago"), listed[1]);

    const byFile = await call("info", `${folder}/modules/a.wasm`);
    const key = byFile.out.match(/^key +(.{64})$/m)![1]!;
    assertEquals([byFile.code, entries.some((entry: { key: string }) => entry.key === key)], [0, true]);
    const byKey = await call("info", key.slice(0, 10), "--json");
    assertEquals(JSON.parse(byKey.out).entries.map((entry: { key: string }) => entry.key), [key]);
    assertEquals((await call("info", "0".repeat(64))).code, 1);
    assertEquals((await call("info", `${folder}/none.wasm`)).code, 1);

    const [sum] = JSON.parse((await call("stats", "--json")).out);
    const bytes = entriesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0);
    assertEquals([sum.engineId, sum.entries, sum.bytes], ["host", 3, bytes]);
    assert(/^ +3 +\S+ +\S+ +<1h ago +host$/m.test((await call("stats")).out));
  }));

test(
  "an id that a file claims does nothing to the terminal",
  options,
  () =>
    withModules(async (call, _folder, directory) => {
      const engine = {
        id: "evil \u001b[2J\u0007\u009b",
        compile: () => 1,
        serialize: () => new Uint8Array(1),
        deserialize: () => 1,
      };
      await new ModuleCache({ engine, directory }).resolve(EMPTY_MODULE);
      for (const command of ["ls", "stats"]) {
        const { out } = await call(command);
        assertEquals([/\p{Cc}/u.test(out.replaceAll("\n", "")), out.includes("evil ?[2J?")], [false, true], out);
      }
    }),
);

test(
  "verify finds what is damaged, and removes it unless told not to",
  options,
  () =>
    withModules(async (call, folder, directory) => {
      await call("warm", `${folder}/modules/*.wasm`);
      assertEquals([(await call("verify")).code, (await call("verify")).out.startsWith("3 entries")], [0, true]);
      const [path = ""] = entriesIn(directory);
      writeFileSync(path, readFileSync(path).fill(0, 0, 4));
      const dry = await call("verify", "--dry-run");
      assertEquals(
        [dry.code, dry.out.includes(`damaged: ${path}`), entriesIn(directory).length],
        [1, true, 3],
        dry.out,
      );
      const wet = await call("verify", "--json");
      assertEquals([wet.code, JSON.parse(wet.out).findings[0].removed, entriesIn(directory).length], [1, true, 2]);
      assertStrictEquals((await call("verify")).code, 0);
    }),
);

test(
  "prune and clear remove, and with --dry-run only say so",
  options,
  () =>
    withModules(async (call, folder, directory) => {
      await call("warm", `${folder}/modules/*.wasm`);
      age(entriesIn(directory)[0]!, 10 * 24 * 3600);
      const dry = await call("prune", "--max-age", "7d", "--dry-run");
      assertEquals([dry.code, dry.out.startsWith("would remove 1 entries"), entriesIn(directory).length], [0, true, 3]);
      assertEquals([(await call("prune", "--max-age", "7d")).code, entriesIn(directory).length], [0, 2]);
      const sized = JSON.parse((await call("prune", "--max-bytes", "200B", "--json")).out);
      assertEquals([sized.removedEntries, sized.entries], [2, 0]);
      await call("warm", `${folder}/modules/*.wasm`);
      assertEquals([(await call("clear", "--dry-run")).code, entriesIn(directory).length], [0, 3]);
      assertEquals([(await call("clear")).code, entriesIn(directory).length], [0, 0]);
    }),
);

test("what cannot be written is told, and ends with 1", options, () =>
  withModules(async (_call, folder) => {
    writeFileSync(`${folder}/file`, "");
    for (const engine of ["host", ...(/^Node 2[24]/.test(thisRuntime()) ? ["v8"] : [])]) {
      const { code, err, out } = await ran(
        "warm",
        `${folder}/modules/*.wasm`,
        "--dir",
        `${folder}/file/x`,
        "--engine",
        engine,
      );
      assertEquals([code, /FAILED|IO/.test(out + err)], [1, true], `${engine}: ${out}${err}`);
    }
  }));

test("what a URL hides is not printed", options, () =>
  withModules(async (call) => {
    const { code, err, out } = await call("warm", "http://user:s3cret@127.0.0.1:1/a.wasm?token=s3cret");
    assertStrictEquals(code, 1);
    assertEquals(/s3cret/.test(out + err), false, out + err);
  }));

test("a secret is read from its file", options, () =>
  withModules(async (call, folder) => {
    writeFileSync(`${folder}/secret`, "a secret");
    await call("warm", `${folder}/modules/a.wasm`, "--secret-file", `${folder}/secret`);
    assertStrictEquals((await call("verify", "--secret-file", `${folder}/secret`)).code, 0);
    writeFileSync(`${folder}/secret`, "another");
    const { code, out } = await call("verify", "--secret-file", `${folder}/secret`);
    assertEquals([code, /^unsigned: /m.test(out)], [1, true], out);
    assertStrictEquals((await call("ls", "--secret-file", `${folder}/none`)).code, 2);
  }));

test(
  "doctor tells of runtime, engine and directory, and tries a round trip",
  options,
  () =>
    withModules(async (call, folder, directory) => {
      const { code, err, out } = await call("doctor");
      assertEquals([code, err], [0, ""], out);
      for (const line of ["runtime", "engine", "directory", "locks", "module", "cold", "memory", "disk"]) {
        assert(new RegExp(`^${line} +\\S`, "m").test(out), `no ${line}: ${out}`);
      }
      assert(out.includes("stores the code itself") && !out.includes("PROBLEM"), out);
      const report = JSON.parse((await call("doctor", `${folder}/modules/a.wasm`, "--json")).out);
      assertEquals([report.directory, report.disk, report.from, report.problems], [
        directory,
        "read-write",
        "disk",
        [],
      ]);
      writeFileSync(`${folder}/file`, "");
      const bad = await ran("doctor", "--dir", `${folder}/file`, "--engine", "host");
      assertEquals([bad.code, /^PROBLEM .*directory/m.test(bad.out)], [1, true], bad.out);
    }),
);

test("wrong arguments are told, and end with 2", options, () =>
  withModules(async (call) => {
    assertEquals((await ran("ls", "--dir", "")).code, 2);
    const wrong = [
      ["frob"],
      ["ls", "more"],
      ["warm"],
      ["ls", "--max-age", "7d"],
      ["ls", "--frob"],
      ["prune", "--max-age", "week"],
      ["prune", "--max-age", "7"],
      ["prune", "--max-age", ""],
      ["prune", "--max-bytes", "1.5.2GB"],
      ["prune", "--max-bytes", "5x"],
      ["prune", "--max-bytes", "-5MB"],
      ["warm", "a.wasm", "--concurrency", "0"],
      ["warm", "a.wasm", "--engine", "best"],
    ];
    for (const args of wrong) {
      const { code, err, out } = args.includes("--engine") ? await ran(...args, "--dir", "/none") : await call(...args);
      assertEquals([code, out, err.length > 0], [2, "", true], args.join(" "));
    }
  }));

test("an engine that is not here is a wrong argument", options, async () => {
  if (/^Node 2[24]/.test(thisRuntime())) return;
  const { code, err } = await ran("warm", "a.wasm", "--engine", "v8", "--dir", "/none");
  assertEquals([code, err.includes("cannot be used here")], [2, true], err);
});

test("help fits 80 columns, and every command has its own", options, async () => {
  for (const args of [[], ["--help"], ["-h"]]) assertEquals(await ran(...args), { code: 0, out: HELP, err: "" });
  const names = [...HELP.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name!);
  assertEquals(names.length, 9);
  for (const name of names) {
    const { code, out } = await ran(name, "--help");
    assertEquals([code, out], [0, commandHelp(name)]);
    for (const line of out.split("\n")) assert(line.length <= 80, line);
  }
  for (const line of HELP.split("\n")) assert(line.length <= 80, line);
  const { version } = JSON.parse(readFileSync(`${ROOT}/deno.json`, "utf8"));
  assertEquals(await ran("--version"), { code: 0, out: version, err: "" });
});

const command = () => runtimes()[thisRuntime()]!;

test("as a program it ends with the exit code, and prints the default directory", options, async () => {
  await inDirectory(async (folder) => {
    const env = { WASM_CACHE_DIR: `${folder}/chosen` };
    const dir = await runScript(command(), `${ROOT}/cli.ts`, ["dir"], env);
    assertEquals([dir.code, dir.stdout], [0, `${folder}/chosen\n`], dir.stderr);
    assertStrictEquals((await runScript(command(), `${ROOT}/cli.ts`, ["frob"], env)).code, 2);
    assertStrictEquals((await runScript(command(), `${ROOT}/cli.ts`, ["info", "0".repeat(64)], env)).code, 1);
  });
});

test(
  "Ctrl-C ends it with 130, and what is there is whole",
  { ...options, skip: process.platform === "win32" },
  () =>
    withModules(async (call, folder, directory) => {
      await withServer(() => ({ delayMs: 60_000 }), async ({ asked, url }) => {
        const [program = "", ...args] = command();
        const sources = [`${folder}/modules/a.wasm`, `${url}/a.wasm`];
        const child = spawn(
          program,
          [...args, `${ROOT}/cli.ts`, "warm", ...sources, "--dir", directory, "--engine", "host"],
          { stdio: "ignore" },
        );
        while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        // Deno takes an end after its own `child.kill` for one by the signal.
        process.kill(child.pid!, "SIGINT");
        assertEquals(await once(child, "exit"), [130, null]);
      });
      assertStrictEquals((await call("verify")).code, 0);
      assertStrictEquals(entriesIn(directory).length, 1);
    }),
);
