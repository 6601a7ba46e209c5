// Runs the programs of tests/packages on all runtimes, with and without `register`, and writes docs/compatibility.md.

import {
  CALLS,
  largest,
  type Package,
  PACKAGES,
  quiet,
  type Ran,
  registered,
  runProgram,
  versionOf,
} from "../tests/packages/packages.ts";
import { library } from "../tests/wasmtime/_library.ts";
import { chooseConfig, findRuntimes, installTestPackages, ROOT, type Runtime } from "./tools.ts";

/** What came of a program on a runtime. */
interface Row {
  readonly runtime: string;
  readonly package: Package;
  /** How it calls for its modules, as told without the cache. */
  readonly calls: readonly string[];
  /** What was not as without the cache. */
  readonly differences: readonly string[];
  /** Where the largest module came from, process by process. */
  readonly from: readonly string[];
  /** The same when Wasmtime runs it; absent where that cannot be. */
  readonly native?: Pick<Row, "differences" | "from"> & { readonly refusals: readonly string[] };
}

/** How many processes in a row look the same modules up; what the earlier ones had made is waited for. */
const PROCESSES = 3;

/** The programs by Wasmtime: in the second process its machine code should come from the disk. */
async function nativeRow(each: Package, plain: Ran, { name: runtime, command }: Runtime): Promise<Row["native"]> {
  if (library === undefined || /^Node 2[24]/.test(runtime)) return undefined;
  const directory = await Deno.makeTempDir({ prefix: "wasm-module-cache-" });
  const { preload, env } = registered(directory, "wasmtime");
  const options = { runtime, command, preload, env: { ...env, WASM_CACHE_WASMTIME: library } };
  const ran: Ran[] = [];
  for (let process = 0; process < 2; process++) {
    ran.push(await runProgram(each, options));
    await quiet(directory);
  }
  await Deno.remove(directory, { recursive: true });
  return {
    differences: ran.flatMap((each) => differencesOf(plain, each)),
    from: ran.map((each) => largest(each)?.from ?? "the runtime"),
    refusals: ran.flatMap(({ refusals }) => refusals),
  };
}

/** Runs a program without the cache, and then in processes that share a directory. */
async function rowOf(each: Package, { name: runtime, command }: Runtime, directory: string): Promise<Row> {
  const plain = await runProgram(each, { runtime, command });
  if (plain.code !== 0) throw new Error(`${each.program} ended with ${plain.code} on ${runtime}:\n${plain.stderr}`);
  const told = await runProgram(each, { runtime, command, preload: CALLS });
  const differences: string[] = [];
  const from: string[] = [];
  for (let process = 0; process < PROCESSES; process++) {
    const ran = await runProgram(each, { runtime, command, ...registered(directory) });
    differences.push(...differencesOf(plain, ran));
    from.push(largest(ran)?.from ?? "nowhere");
    await quiet(directory);
  }
  const native = await nativeRow(each, plain, { name: runtime, command });
  return { runtime, package: each, calls: callsIn(told), differences, from, native };
}

function differencesOf(plain: Ran, ran: Ran): string[] {
  return [
    ...ran.code === plain.code ? [] : [`ended with ${ran.code}`],
    ...ran.stdout === plain.stdout ? [] : ["printed something else"],
    ...ran.complaints,
  ];
}

function callsIn({ stderr }: Ran): string[] {
  const calls = JSON.parse(stderr.match(/^calls: (.*)$/m)?.[1] ?? "[]") as { name: string; bytes?: number }[];
  return calls.map(({ name, bytes }) => `\`${name}\`, ${bytes === undefined ? "?" : (bytes / 1e6).toFixed(1)} MB`);
}

/** The calls, once where all runtimes agree. */
function callsOf(rows: readonly Row[]): string {
  const byCalls = Map.groupBy(rows, ({ calls }) => counted(calls));
  if (byCalls.size === 1) return [...byCalls.keys()][0]!;
  return [...byCalls].map(([calls, rows]) => `${calls} (${rows.map(({ runtime }) => runtime).join(", ")})`).join("; ");
}

function counted(calls: readonly string[]): string {
  const groups = [...Map.groupBy(calls, (call) => call)];
  return groups.map(([call, { length }]) => length > 1 ? `${call}, ${length} times` : call).join("; ");
}

/** Where the largest module came from in the second process; which one had it from the disk, if that was a later one. */
function fromOf({ from: [, second = "", ...later], differences }: Row): string {
  if (differences.length > 0) return `**${differences.join(", ")}**`;
  if (second === "disk" || !later.includes("disk")) return second;
  return `${second}, then disk`;
}

/** What came of it by Wasmtime, once where all runtimes agree. */
function nativeOf(rows: readonly Row[]): string {
  const byResult = Map.groupBy(rows.filter(({ native }) => native), ({ native }) => {
    const { differences, from, refusals } = native!;
    if (differences.length > 0) return `**${differences.join(", ")}**`;
    return refusals.length > 0 ? "left to the runtime" : from.at(-1)!;
  });
  if (byResult.size <= 1) return [...byResult.keys()][0] ?? "";
  return [...byResult].map(([result, rows]) => `${result} (${rows.map(({ runtime }) => runtime).join(", ")})`).join(
    "; ",
  );
}

function pageOf(rows: readonly Row[], runtimes: readonly Runtime[]): string {
  const names = runtimes.map(({ name }) => name);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const byName = PACKAGES.toSorted((one, other) => one.program < other.program ? -1 : 1);
  const table = byName.map((each) => {
    const own = rows.filter(({ package: { name } }) => name === each.name);
    const isSame = own.every(({ differences }) => differences.length === 0);
    return line([
      `\`${each.name}\``,
      versionOf(each),
      callsOf(own),
      isSame ? "yes" : "**no**",
      ...own.map(fromOf),
      nativeOf(own),
    ]);
  });
  const heading = ["package", "version", "what it calls", "same output", ...names, "by Wasmtime"];
  return `${INTRODUCTION}
Run on ${new Date().toISOString().slice(0, 10)}, ${Deno.build.os} ${Deno.build.arch}, ${names.join(", ")}:

${[line(heading), line(heading.map(() => "---")), ...table].join("\n")}
`;
}

const INTRODUCTION = `# Compatibility

Ten real packages, run with \`register\` and without it: does the program do the same, and where does its module come from?
Each program prints the result of work done in wasm; the programs are in \`tests/packages\`.

- **what it calls**: for modules of 4 KB or more, measured without the cache. The programs run with \`WASM_CACHE_MIN_BYTES=4096\`.
- **same output**: whether three processes with \`register\` that share a directory ended and printed as the process
  without it, on every runtime.
- Under each runtime: where the largest module came from in the second process. Node 22 and 24 store machine code, made
  after a process has ended; the run waits for it. \`compiled, then disk\` means that the third process had it, as for the
  first program in a directory (\`pyodide\` here), where V8's calls are tried out first. The other runtimes store the code:
  there, \`disk\` means that it was found, and the module compiled from it.

- **by Wasmtime**: with \`WASM_CACHE_ENGINE=wasmtime\` on Deno, Bun and Node 26, where the largest module came from in the
  second process, if two processes printed the same as the one without it. Then \`disk\` means machine code.
  \`left to the runtime\`: Wasmtime refuses the module, and the program runs as without it. \`pyodide\` and DuckDB are built with
  legacy exceptions.

The table is written by \`npx -y deno@2.9.6 task compatibility\`. The tests run the same programs
(\`tests/packages_test.ts\`).
`;

const config = await chooseConfig();
await installTestPackages();
const runtimes = await findRuntimes(config);
const rows: Row[] = [];
for (const runtime of runtimes) {
  const directory = await Deno.makeTempDir({ prefix: "wasm-module-cache-" });
  for (const each of PACKAGES) {
    const row = await rowOf(each, runtime, directory);
    console.log(
      `${runtime.name}  ${each.name}  ${row.from.join(", ")}  ${row.differences.join(", ") || "same output"}`,
    );
    rows.push(row);
  }
  await Deno.remove(directory, { recursive: true });
}
const path = `${ROOT}/docs/compatibility.md`;
// What follows was measured by other means.
const [, ...more] = (await Deno.readTextFile(path)).split(/^(?=## )/m);
await Deno.writeTextFile(path, [pageOf(rows, runtimes), ...more].join("\n"));
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", "--config", `${ROOT}/${config}`, path] }).output();
Deno.exit(rows.some(({ differences, native }) => differences.length + (native?.differences.length ?? 0) > 0) ? 1 : 0);
