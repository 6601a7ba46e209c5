// Changes one thing at a time in a copy of the tree, and sees whether a test fails: `task mutate src/load`. Options:
// --sample=40 and --seed=1 (a part of the changes), --runtime=bun, --jobs=1, --at=path:line (only those of a line).
// It prints which changes no test saw. docs/testing.md says what that comes to.

import { spawn } from "node:child_process";
import { type Mutant, mutantsOf } from "./mutate/mutants.ts";
import { testsOf } from "./mutate/mapping.ts";
import { chooseConfig, findRuntimes, installPackages, ROOT, run, type Runtime } from "./tools.ts";

type End = "killed" | "timeout" | "survived";

/** A copy of the tree in which things may be changed. */
interface Copy {
  readonly folder: string;
  readonly runtime: Runtime;
}

/** How long a test file takes that nothing was changed for, ms. */
const usual = new Map<string, number>();

function option(name: string, fallback: string): string {
  return Deno.args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
}

async function copyTree(runtime: Runtime): Promise<Copy> {
  const folder = await Deno.makeTempDir({ prefix: "wasm-module-cache-mutate-" });
  const { output } = await run(["git", "ls-files", "-z"], { capture: true });
  for (const path of output.split("\0").filter((path) => path !== "")) {
    await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(`${ROOT}/${path}`, `${folder}/${path}`);
  }
  await Deno.symlink(await Deno.realPath(`${ROOT}/node_modules`), `${folder}/node_modules`);
  return { folder, runtime };
}

/** Runs a test file until its first failure. */
function runTests({ folder, runtime: { name, command } }: Copy, file: string, limitMs: number): Promise<End> {
  const runner = name.startsWith("Bun") ? ["test", `./${file}`] : ["--test", "--test-reporter=tap", file];
  const env = { ...Deno.env.toObject(), TEST_RUNTIMES: JSON.stringify({ [name]: command }), NO_COLOR: "1" };
  // A group of its own, so that what the tests started ends with them.
  const child = spawn(command[0]!, runner, { cwd: folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    const end = (end: End) => {
      clearTimeout(timer);
      resolve(end);
      try {
        Deno.kill(-child.pid!, "SIGKILL");
      } catch {
        // All of it has ended.
      }
    };
    const timer = setTimeout(() => end("timeout"), limitMs);
    const look = (output: unknown) => {
      if (/^(\s*not ok |\(fail\) )/m.test(String(output))) end("killed");
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("error", reject);
    child.on("close", (code) => end(code === 0 ? "survived" : "killed"));
  });
}

/** Runs the tests that concern a file, unchanged; throws where one fails. */
async function measure(copy: Copy, files: readonly string[]): Promise<void> {
  for (const file of files.filter((file) => !usual.has(file))) {
    const startMs = Date.now();
    const end = await runTests(copy, file, 600_000);
    if (end !== "survived") throw new Error(`Cannot mutate: ${file} fails with nothing changed`);
    usual.set(file, Date.now() - startMs);
  }
}

/** Changes one thing, runs the tests until one fails, and changes it back. */
async function judge(copy: Copy, { path, source, start, end, text }: Mutant): Promise<End> {
  await Deno.writeTextFile(`${copy.folder}/${path}`, source.slice(0, start) + text + source.slice(end));
  try {
    for (const file of await testsOf(path)) {
      const found = await runTests(copy, file, 3 * usual.get(file)! + 5_000);
      if (found !== "survived") return found;
    }
    return "survived";
  } finally {
    await Deno.writeTextFile(`${copy.folder}/${path}`, source);
  }
}

/** A part of a list that a seed chooses: mulberry32 and the shuffle of Fisher and Yates. */
function sampleOf<T>(all: readonly T[], size: number, seed: number): T[] {
  const left = [...all];
  const random = () => {
    seed = seed + 0x6d2b79f5 | 0;
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
  for (let i = left.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [left[i], left[other]] = [left[other]!, left[i]!];
  }
  return left.slice(0, size);
}

/** Source files of a file or folder. */
async function sourcesIn(path: string): Promise<string[]> {
  const { output } = await run(["git", "ls-files", path], { capture: true });
  return output.split("\n").filter((path) => path.endsWith(".ts"));
}

/** Prints what became of the changes, by file. */
function print(ends: readonly [Mutant, End][]): void {
  const share = (ends: readonly [Mutant, End][]) => {
    const count = (end: End) => ends.filter(([, other]) => other === end).length;
    const dead = count("killed") + count("timeout");
    const parts = `${count("killed")} killed, ${count("timeout")} timed out, ${count("survived")} survived`;
    return `${(100 * dead / ends.length).toFixed(1)} % of ${ends.length} (${parts})`;
  };
  for (const path of new Set(ends.map(([{ path }]) => path))) {
    console.log(`${path}: ${share(ends.filter(([mutant]) => mutant.path === path))}`);
  }
  console.log(`All: ${share(ends)}`);
}

const targets = Deno.args.filter((arg) => !arg.startsWith("--"));
// Bun is the quickest; what only Node can do is tried there.
const runtimeName = option("runtime", targets.some((path) => /^src\/(v8|register)/.test(path)) ? "node24" : "bun");
await installPackages();
const [, runtime] = await findRuntimes(await chooseConfig(), [runtimeName]);
const mutants = (await Promise.all((await Promise.all(targets.map(sourcesIn))).flat().map(mutantsOf))).flat()
  .filter(({ path, line }) => ["", `${path}:${line}`].includes(option("at", "")));
const chosen = sampleOf(mutants, Number(option("sample", "Infinity")), Number(option("seed", "1")));
console.log(`${chosen.length} of ${mutants.length} mutants, on ${runtime!.name}`);
const copies = await Promise.all(Array.from({ length: Number(option("jobs", "1")) }, () => copyTree(runtime!)));
const ends: [Mutant, End][] = [];
try {
  for (const path of new Set(chosen.map(({ path }) => path))) await measure(copies[0]!, await testsOf(path));
  await Promise.all(copies.map(async (copy) => {
    for (let mutant; (mutant = chosen.pop()) !== undefined;) {
      const end = await judge(copy, mutant);
      ends.push([mutant, end]);
      const { path, line, source, start, text } = mutant;
      const was = source.slice(start, mutant.end).replace(/\s+/g, " ").slice(0, 80);
      if (end !== "killed") console.log(`${end}: ${path}:${line} ${was} → ${text || "nothing"}`);
    }
  }));
} finally {
  for (const { folder } of copies) await Deno.remove(folder, { recursive: true });
}
print(ends.sort(([a], [b]) => a.path.localeCompare(b.path)));
