// Runs the tests of WebAssembly's JavaScript API, of a checkout of the specification, by each runtime's own
// `WebAssembly` and by Wasmtime behind it: `WASM_SPEC=<checkout> deno task conformance`. `--failures` prints which fail.

import type { Outcome } from "./conformance/harness.ts";
import { library, skip } from "../tests/wasmtime/_library.ts";
import { chooseConfig, findRuntimes, installPackages, ROOT, type Runtime } from "./tools.ts";

/** What came of a file. */
interface Ran {
  readonly outcomes: readonly Outcome[];
  /** Why there are not more. */
  readonly fault?: string;
}

/** Longest time a file may take, ms. */
const TIMEOUT_MS = 600_000;

/** By whom the tests are run: preloads and variables. */
const WAYS = { own: [], wasmtime: [`${ROOT}/register.ts`] } as const;
type Way = keyof typeof WAYS;

// Without it both ways would be the runtime's own.
if (library === undefined || skip !== false) throw new Error(`Cannot run the tests by Wasmtime: ${skip}`);
const directory = await Deno.makeTempDir({ prefix: "wasm-module-cache-" });
const VARIABLES = {
  WASM_CACHE_ENGINE: "wasmtime",
  WASM_CACHE_WASMTIME: library,
  WASM_CACHE_MIN_BYTES: "0",
  WASM_CACHE_DIR: directory,
};

async function runFile(file: string, { name, command }: Runtime, way: Way): Promise<Ran> {
  const flag = name.startsWith("Node") ? "--import" : "--preload";
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args: [...args, ...WAYS[way].flatMap((path) => [flag, path]), `${ROOT}/dev/conformance/child.ts`, FOLDER, file],
    env: { DENO_NO_PACKAGE_JSON: "1", ...VARIABLES },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { code, signal, stdout, stderr } = await child.output();
  const [, told] = new TextDecoder().decode(stdout).match(/^outcomes: (.*)$/m) ?? [];
  const fault = `ended with ${signal ?? code}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`;
  return told ? JSON.parse(told) : { outcomes: [], fault };
}

/** The tests' files, in order. */
async function filesBelow(folder: string, at = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${at}`)) {
    if (isDirectory) found.push(...await filesBelow(folder, `${at}${name}/`));
    else if (name.endsWith(".any.js")) found.push(at + name);
  }
  return found.sort();
}

const checkout = Deno.env.get("WASM_SPEC");
if (checkout === undefined) throw new Error("Cannot run the tests: WASM_SPEC names no checkout of WebAssembly/spec");
const FOLDER = `${checkout}/test/js-api`;
const isTelling = Deno.args.includes("--failures");
const wanted = Deno.args.filter((arg) => !arg.startsWith("--"));
const config = await chooseConfig();
await installPackages();
const runtimes = await findRuntimes(config, ["bun", "node26"]);
const files = (await filesBelow(FOLDER)).filter((file) =>
  wanted.length === 0 || wanted.some((part) => file.includes(part))
);
for (const runtime of runtimes) {
  const counts = { own: 0, wasmtime: 0 };
  let all = 0;
  for (const file of files) {
    const ran = { own: await runFile(file, runtime, "own"), wasmtime: await runFile(file, runtime, "wasmtime") };
    all += new Set([...ran.own.outcomes, ...ran.wasmtime.outcomes].map(({ name }) => name)).size;
    const passed = ({ outcomes }: Ran) =>
      new Set(outcomes.filter(({ message }) => message === undefined).map(({ name }) => name));
    for (const way of ["own", "wasmtime"] as const) counts[way] += passed(ran[way]).size;
    if (!isTelling) continue;
    if (ran.wasmtime.fault) console.log(`${runtime.name}  ${file}  ${ran.wasmtime.fault}`);
    for (const { name, message } of ran.wasmtime.outcomes) {
      if (message === undefined) continue;
      console.log(
        `${runtime.name}  ${file}  ${name}  ${message}${passed(ran.own).has(name) ? "" : "  (as the runtime)"}`,
      );
    }
  }
  const share = (count: number) => `${count} of ${all} (${(100 * count / all).toFixed(1)} %)`;
  console.log(`${runtime.name}: the runtime's own ${share(counts.own)}, Wasmtime ${share(counts.wasmtime)}`);
}
await Deno.remove(directory, { recursive: true });
