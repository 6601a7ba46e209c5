// The package as its users get it: from a JSR registry, installed in both npm forms, and in bundles. Everything is made
// here, of this tree; no registry is asked but for npm's packages that are not at hand.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { packed, type Registry, startNpmRegistry, startRegistry } from "./_registry.ts";
import { type Ended, MODULES, ROOT, runScript, runtimes, thisRuntime } from "./_tools.ts";

const isHere = thisRuntime().startsWith("Deno");
const options = { timeout: 120_000, skip: isHere ? false : "tried on Deno, which publishes" };
const all = Object.entries(runtimes());
const others = all.filter(([name]) => !name.startsWith("Deno"));
const node = all.find(([name]) => name.startsWith("Node"));
const v8 = all.find(([name]) => name.startsWith("Node 24"));
const bun = all.find(([name]) => name.startsWith("Bun"));
const missing = (found: unknown) => ({
  ...options,
  skip: options.skip || (found ? false : "needs the test task, which knows the runtimes"),
});

/** What users of the steps install besides. */
const LIBRARIES = ["binaryen", "wabt"];

/** This tree, as an import names it. */
const TREE = ROOT.replaceAll("\\", "/");

/** Where the package is used: nothing of this tree is near. */
let folder = "";
let registry: Registry;
let npm: Awaited<ReturnType<typeof startNpmRegistry>>;

/** The npm forms: as JSR's registry makes it, a file for each of ours, and as `task pack` does. */
type Form = "jsr" | "npm";
const tarballs = {} as Record<Form, string>;

before(async () => {
  if (!isHere) return;
  folder = mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
  registry = await startRegistry(`${folder}/registry`);
  registry.add("@std/crypto", { version: "1.0.99", folder: `${ROOT}/dev/std/crypto` });
  const { stdout } = await deno("info", "--json");
  mkdirSync(`${folder}/deno`);
  // Packages of npm are large, and the same for all.
  symlinkSync(join(JSON.parse(stdout).denoDir, "npm"), `${folder}/deno/npm`, "junction");
  await Promise.all([publish(), install()]);
});

after(() => {
  registry?.close();
  npm?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Runs Deno as a user with nothing cached. */
async function deno(command: string, ...args: string[]): Promise<Ended> {
  const isUser = command !== "info";
  const env = {
    DENO_NO_PACKAGE_JSON: "1",
    NO_COLOR: "1",
    ...(isUser && { DENO_DIR: `${folder}/deno`, JSR_URL: registry.url }),
  };
  const ended = await runScript([process.execPath], command, args, env, folder);
  assertStrictEquals(ended.code, 0, ended.stderr);
  return ended;
}

async function publish(): Promise<void> {
  const copy = `${folder}/copy`;
  const { publish: { include } } = JSON.parse(readFileSync(`${ROOT}/deno.json`, "utf8"));
  // Of a pattern, the folder that it begins with.
  for (const path of include.map((path: string) => path.replace(/\/\*.*/, ""))) {
    cpSync(`${ROOT}/${path}`, `${copy}/${path}`, { recursive: true });
  }
  const quick = ["--no-check", "--no-provenance", "--allow-dirty"];
  await deno("publish", "--config", `${copy}/deno.json`, "--token", "loopback", ...quick);
}

/** Packs both npm forms, and installs each beside the libraries of the steps. */
async function install(): Promise<void> {
  npm = await startNpmRegistry(`${ROOT}/node_modules`);
  const { packForNpm } = await import("../dev/pack.ts");
  const folders = { npm: await packForNpm("deno.offline.json"), jsr: `${ROOT}/.cache/packed/package` };
  for (const form of ["jsr", "npm"] as const) {
    writeFileSync(tarballs[form] = `${folder}/${form}.tgz`, packed(folders[form]));
    await installed(form, form);
    for (const name of LIBRARIES) symlinkSync(`${ROOT}/node_modules/${name}`, `${folder}/${form}/node_modules/${name}`);
  }
}

/** Installs a form into a project that has nothing else; by npm, or by another package manager. */
async function installed(form: Form, project: string, command = ["npm", "install", "--no-audit", "--no-fund"]) {
  mkdirSync(`${folder}/${project}`);
  writeFileSync(`${folder}/${project}/package.json`, "{}");
  writeFileSync(`${folder}/${project}/.npmrc`, `registry=${npm.url}\n`);
  const [program = "", verb = "", ...flags] = command;
  const env = { "npm_config_cache": `${folder}/npm-cache`, BUN_INSTALL_CACHE_DIR: `${folder}/bun-cache` };
  const { code, stderr } = await runScript([program], verb, [...flags, tarballs[form]], env, `${folder}/${project}`);
  assertStrictEquals(code, 0, stderr);
}

/** What lies in a project's node_modules: the names of packages, and the bytes of all files. */
function contentOf(project: string): { names: string[]; bytes: number } {
  const modules = `${folder}/${project}/node_modules`;
  const files = readdirSync(modules, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  return { names: readdirSync(modules).filter((name) => !name.startsWith(".")).sort(), bytes };
}

/** Writes a program; gives its path. */
function written(name: string, text: string): string {
  writeFileSync(`${folder}/${name}`, text);
  return `${folder}/${name}`;
}

/** Uses every entry of the package; `from` names it. */
const everyEntry = (from: string) => `
  import { get, hostEngine, ModuleCache, prepared } from "${from}";
  import { binaryenOptimizer } from "${from}/binaryen";
  import { bestEngine, v8Engine } from "${from}/v8";
  import { httpRemote } from "${from}/remote/http";
  import { storageRemote } from "${from}/remote/unstorage";
  import { wat } from "${from}/wat";
  const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const directory = "${folder.replaceAll("\\", "/")}/" + crypto.randomUUID();
  const engine = prepared(hostEngine(), wat());
  const cache = new ModuleCache({ engine, directory, strict: true });
  const text = new TextEncoder().encode("(module)");
  const from = [(await cache.resolve(text)).from];
  cache.clearMemory();
  await cache.flush();
  from.push(cache.resolveSync(text).from);
  const values = new Map();
  const remote = storageRemote({
    getItemRaw: async (key) => values.get(key),
    setItemRaw: async (key, value) => void values.set(key, value),
    hasItem: async (key) => values.has(key),
    removeItem: async (key) => void values.delete(key),
  });
  for (const _ of [1, 2]) {
    const sharing = new ModuleCache({ engine, remote, strict: true });
    from.push((await sharing.resolve(text)).from);
    await sharing.flush();
  }
  from.push(Object.keys(httpRemote("http://127.0.0.1:9")).length);
  const optimized = await binaryenOptimizer({ optimizeLevel: 0 }).prepare(code);
  const modules = [await get(bestEngine(), code, directory), new WebAssembly.Module(optimized)];
  const isSaid = v8Engine.available().available === !v8Engine.available().reason;
  console.log(from.join(), modules.every((module) => module instanceof WebAssembly.Module), isSaid);
`;

/** Compiles five modules at once, as the glue of wasm-bindgen does at import, and one that is none. */
const FIVE = `
  const modules = [0, 1, 2, 0, 1].map((last) => {
    const code = new Uint8Array(6000);
    code.set([0, 97, 115, 109, 1, 0, 0, 0, 0, 0xe5, 0x2e, 1, 120, last]);
    return new WebAssembly.Module(code);
  });
  try {
    new WebAssembly.Module(new Uint8Array(5000));
  } catch (error) {
    console.log(new Set(modules).size, error instanceof WebAssembly.CompileError);
  }
`;
/** The same, and ends before anything could be loaded. */
const FIVE_AT_ONCE = `${FIVE}\nprocess.exit();`;

/** Runs what compiles five modules; all of them must be served. */
async function assertServed(
  command: readonly string[],
  script: string,
  args: string[] = [],
  cwd = folder,
): Promise<void> {
  const variables = { WASM_CACHE_LOG: "trace", WASM_CACHE_ENGINE: "host", WASM_CACHE_MIN_BYTES: "4096" };
  const env = { ...variables, DENO_DIR: `${folder}/deno`, JSR_URL: registry.url };
  const { code, stdout, stderr } = await runScript(command, script, args, env, cwd);
  const from = [...stderr.matchAll(/^wasm-module-cache: (\w+) [0-9a-f]{64} 6000 bytes/gm)].map(([, from]) => from);
  assertEquals([code, stdout.trim()], [0, "5 true"], `${command} ${script}: ${stderr}`);
  assertEquals(
    from.sort(),
    ["compiled", "compiled", "compiled", "memory", "memory"],
    `${command} ${script}: ${stderr}`,
  );
}

test("every entry works from JSR", options, async () => {
  const { stdout, stderr } = await deno(
    "run",
    "-A",
    "--no-lock",
    written("jsr.ts", everyEntry("jsr:@wasm/module-cache")),
  );
  assertStrictEquals(stdout.trim(), "compiled,disk,compiled,remote,4 true true");
  assert(!stderr.includes("Cannot start"), stderr);
});

test("register from JSR serves what is compiled at the import", options, async () => {
  const flags = ["run", "-A", "--no-lock", "--preload", "jsr:@wasm/module-cache/register"];
  await assertServed([process.execPath, ...flags], written("five.ts", FIVE));
  const first = written("first.ts", `import "jsr:@wasm/module-cache/register";\n import "./five.ts";`);
  await assertServed([process.execPath, "run", "-A", "--no-lock"], first);
});

/** Deno as one of those that have node_modules. */
const denoOnModules = [process.execPath, "run", "-A", "--no-lock", "--node-modules-dir=manual"];

/** Each runtime with the form that npm has, and one Node with that of JSR's registry. */
const uses = (): [Form, string, string[]][] => [
  ["npm", "Deno", denoOnModules],
  ...others.map(([name, command]) => ["npm", name, command] satisfies [Form, string, string[]]),
  ...(node ? [["jsr", ...node] satisfies [Form, string, string[]]] : []),
];

test("every entry works from node_modules", missing(others.length > 0), async () => {
  for (const [form, name, command] of uses()) {
    const path = written(`${form}/every.mjs`, everyEntry("@wasm/module-cache"));
    const env = { DENO_NO_PACKAGE_JSON: "" };
    const { code, stdout, stderr } = await runScript(command, path, [], env, `${folder}/${form}`);
    assertEquals(
      [code, stdout.trim()],
      [0, "compiled,disk,compiled,remote,4 true true"],
      `${form}, ${name}: ${stderr}`,
    );
    assert(!stderr.includes("Cannot start"), stderr);
  }
});

test("the command line is installed as a command", missing(node), async () => {
  await installed("npm", "command");
  const [program = "", ...args] = node![1];
  const path = `${folder}/command/node_modules/.bin/wasm-module-cache`;
  for (const [command, expected] of [[["--version"], "0.1.0"], [["dir", "--dir", "/a/b"], "/a/b"]] as const) {
    const { code, stdout, stderr } = await runScript([program, ...args], path, command);
    assertEquals([code, stdout.trim()], [0, expected], stderr);
  }
});

test("register from node_modules serves programs of both kinds", missing(others.length > 0), async () => {
  for (const [form, name, command] of uses().filter(([, name]) => name !== "Deno")) {
    const required = `require("@wasm/module-cache/register");\n${FIVE_AT_ONCE}`;
    await assertServed(command, written(`${form}/required.cjs`, required));
    const preload = [name.startsWith("Node") ? "--import" : "--preload", "@wasm/module-cache/register"];
    await assertServed([...command, ...preload], written(`${form}/five.mjs`, FIVE_AT_ONCE), [], `${folder}/${form}`);
  }
});

test("the V8 engine of both npm forms makes machine code, which a later process loads", missing(v8), async () => {
  await Promise.all((["jsr", "npm"] as const).map(async (form) => {
    const source = `
      import { ModuleCache } from "@wasm/module-cache";
      import { v8Engine } from "@wasm/module-cache/v8";
      import { readFileSync } from "node:fs";
      const [code, directory, isFirst] = process.argv.slice(2);
      const cache = new ModuleCache({ engine: v8Engine(), directory, strict: true });
      if (isFirst) await cache.warm([readFileSync(code)]);
      else console.log((await cache.resolve(readFileSync(code))).from);`;
    const path = written(`${form}/v8.mjs`, source);
    const args = [join(ROOT, "node_modules", MODULES.oxipng), `${folder}/${form}/cache`];
    const warm = await runScript(v8![1], path, [...args, "first"], {}, folder);
    const { stdout, stderr } = await runScript(v8![1], path, args, {}, folder);
    assertEquals([warm.code, stdout.trim()], [0, "disk"], `${form}: ${warm.stderr}${stderr}`);
  }));
});

test("an install has the core alone, in 2 MB at most", missing(bun), async () => {
  await installed("npm", "bun", [...bun![1], "add"]);
  await installed("npm", "core");
  for (const project of ["bun", "core"]) {
    const { names, bytes } = contentOf(project);
    assertEquals(names, ["@wasm", "http-cache-semantics", "quick-lru"], project);
    assert(bytes <= 2 * 1024 * 1024, `${project}: ${bytes} bytes`);
  }
  // JSR takes every package that an import names.
  await installed("jsr", "jsr-core");
  const core = ["@wasm", "hash-wasm", "http-cache-semantics", "quick-lru"];
  const commandLine = ["bytes", "cli-progress", "cli-table3", "ms"];
  const theirs = ["ansi-regex", "emoji-regex", "is-fullwidth-code-point", "string-width", "strip-ansi"];
  assertEquals(contentOf("jsr-core").names, [...core, ...commandLine, ...theirs].sort());
  for (const entry of ["", "/binaryen", "/wat"]) {
    const { stdout } = await deno("info", "--json", `jsr:@wasm/module-cache${entry}`);
    assertEquals(/binaryen@|wabt@/.test(JSON.stringify(JSON.parse(stdout).npmPackages)), false, stdout);
  }
});

test("a step whose library is missing says what to install, and takes what load gives", missing(node), async () => {
  await installed("npm", "missing");
  mkdirSync(`${folder}/missing/node_modules/wabt`);
  written("missing/node_modules/wabt/package.json", '{ "name": "wabt", "version": "1.0.38", "main": "index.js" }');
  written("missing/node_modules/wabt/index.js", "");
  const source = `
    import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
    import { wat } from "@wasm/module-cache/wat";
    const [binary, text] = [Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0), new TextEncoder().encode("(module)")];
    for (const [step, code] of [[binaryenOptimizer(), binary], [wat(), text]]) {
      await step.prepare(code).catch(({ message, cause }) => console.log(message, cause.message));
    }
    const load = (name) => () => import(${
    JSON.stringify(pathToFileURL(`${ROOT}/node_modules/`).href)
  } + name + "/index.js");
    const optimizer = binaryenOptimizer({ optimizeLevel: 0, load: load("binaryen") });
    console.log((await optimizer.prepare(binary)).length, (await wat({ load: load("wabt") }).prepare(text)).length);`;
  const path = written("missing/steps.mjs", source);
  for (const [name, command] of [node!, ...(bun ? [bun] : [])]) {
    const { stdout, stderr } = await runScript(command, path, [], {}, `${folder}/missing`);
    const lines = stdout.trim().split("\n");
    assert(
      lines[0]?.startsWith("Cannot load binaryen: binaryen@132.0.0 must be installed"),
      `${name}: ${stdout}${stderr}`,
    );
    assertEquals(lines.slice(1), ["Cannot load wabt: wabt@1.0.39 must be installed it is wabt@1.0.38", "8 8"], name);
    assertEquals(
      stderr.match(/binaryen@132.0.0 must be installed; code is optimized in this thread/g)?.length,
      1,
      stderr,
    );
  }
});

test("register serves in a bundle of Deno's", options, async () => {
  const path = written("deno.ts", `import "jsr:@wasm/module-cache/register";\n${FIVE_AT_ONCE}`);
  await deno("bundle", "--no-lock", "-o", `${folder}/deno.mjs`, path);
  await assertServed([process.execPath, "run", "-A", "--no-lock"], `${folder}/deno.mjs`);
});

/** Programs to bundle: with the files of this tree, which are those of JSR, and with the npm form. */
const inputs = () =>
  Object.entries({ jsr: `${TREE}/register.ts`, npm: "@wasm/module-cache/register" })
    .map(([form, register]) => [form, written(`${form}/input.mjs`, `import "${register}";\n${FIVE_AT_ONCE}`)] as const);

test("register serves in bundles of esbuild's, of both kinds", missing(node), async () => {
  const outputs = inputs().flatMap(([form, input]) =>
    ["cjs", "esm"].map((format) => ({
      entryPoints: [input],
      format,
      outfile: `${folder}/esbuild-${form}.${format === "esm" ? "mjs" : "cjs"}`,
    }))
  );
  const build = written(
    "build.mjs",
    `
    import { build, stop } from ${JSON.stringify(pathToFileURL(`${ROOT}/node_modules/esbuild-wasm/lib/main.js`).href)};
    for (const output of ${JSON.stringify(outputs)}) {
      await build({ bundle: true, platform: "node", logLevel: "error", ...output });
    }
    stop?.();
  `,
  );
  const { code, stderr } = await runScript(node![1], build, [], {}, folder);
  assertStrictEquals(code, 0, stderr);
  for (const [, command] of others) for (const { outfile } of outputs) await assertServed(command, outfile);
});

test("register serves in bundles of Bun's", missing(bun), async () => {
  for (const [form, input] of inputs()) {
    for (const [format, [, command]] of [["esm", bun!], ...(node ? [["cjs", node] as const] : [])] as const) {
      const output = `${folder}/bun-${form}.${format === "esm" ? "mjs" : "cjs"}`;
      const target = format === "esm" ? "bun" : "node";
      const args = [input, `--format=${format}`, `--target=${target}`, `--outfile=${output}`];
      const { code, stderr } = await runScript(bun![1], "build", args, {}, folder);
      assertStrictEquals(code, 0, stderr);
      await assertServed(command, output);
    }
  }
});

test("Binaryen in a bundle optimizes in the thread that asks, or in a worker that is named", missing(bun), async () => {
  const input = written(
    "npm/optimize.mjs",
    `
    import { binaryenOptimizer } from "@wasm/module-cache/binaryen";
    const { prepare } = binaryenOptimizer({ optimizeLevel: 0, worker: process.argv[2] });
    const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    const outputs = await Promise.all([prepare(code), prepare(code)]);
    console.log(outputs.map((output) => output.length).join());
  `,
  );
  const worker = written(
    "npm/worker.mjs",
    `import { binaryenWorker } from "@wasm/module-cache/binaryen";\nbinaryenWorker();`,
  );
  const output = `${folder}/npm/optimize`;
  const built = await runScript(bun![1], "build", [input, worker, "--target=bun", `--outdir=${output}`], {}, folder);
  assertStrictEquals(built.code, 0, built.stderr);
  const runs = [[], [`${output}/worker.js`]].map((args) =>
    runScript(bun![1], `${output}/optimize.js`, args, {}, folder)
  );
  const [alone, named] = await Promise.all(runs);
  assertEquals([alone!.stdout.trim(), named!.stdout.trim(), named!.stderr], ["8,8", "8,8", ""]);
  assertStrictEquals(alone!.stderr.match(/Cannot start Binaryen's worker/g)?.length, 1, alone!.stderr);
  assert(alone!.code === 0 && named!.code === 0);
});
