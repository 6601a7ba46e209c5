// What the tasks share: which config resolves here, where the runtimes are, how a command is run. Imports nothing, so
// that it runs before any registry was asked.

/** Where this tree is. */
export const ROOT: string = decodeURIComponent(new URL("..", import.meta.url).pathname)
  .replace(/^\/([a-z]:)/i, "$1").replace(/\/$/, "");

/** The runtimes that the tests pass on, by the name and version they have in the npm registry. */
export const VERSIONS = { bun: "bun@1.4.5", node22: "node@22", node24: "node@24", node26: "node@26" } as const;

/** A runtime, and the command that runs a script on it. */
export interface Runtime {
  /** Name for people. */
  readonly name: string;
  /** Program and its arguments, up to the script. */
  readonly command: readonly string[];
}

/** Runs a command in this tree; its output is ours unless it is wanted. */
export async function run(
  command: readonly string[],
  options: { env?: Record<string, string>; capture?: boolean; quiet?: boolean } = {},
): Promise<{ code: number; output: string }> {
  const [program = "", ...args] = command;
  const stdio = options.capture ? "piped" : options.quiet ? "null" : "inherit";
  const child = new Deno.Command(program, {
    args,
    cwd: ROOT,
    env: { ...ENV, ...options.env },
    stdout: stdio,
    stderr: stdio,
  });
  const { code, stdout, stderr } = options.capture
    ? await child.output()
    : { ...await child.spawn().status, stdout: EMPTY, stderr: EMPTY };
  const text = new TextDecoder();
  return { code, output: text.decode(stdout) + text.decode(stderr) };
}

const EMPTY = new Uint8Array();

/** Deno resolves by its own config: what package.json names is for Bun and Node, and large. */
const ENV = { DENO_NO_PACKAGE_JSON: "1" };

/** The config that resolves here: the canonical one, or the one with stand-ins where the JSR registry does not answer. */
export async function chooseConfig(): Promise<string> {
  const specifiers = ["jsr:@std/assert@^1", "jsr:@std/crypto@^1", "jsr:@std/fs@^1"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["cache", "--no-config", "--no-lock", ...specifiers],
    cwd: ROOT,
    stdout: "null",
    stderr: "null",
    signal: AbortSignal.timeout(20_000),
  });
  const { success } = await child.output();
  return success ? "deno.json" : "deno.offline.json";
}

/** The files that the package exports. */
export async function findEntries(): Promise<string[]> {
  const { exports } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)) as { exports: Record<string, string> };
  return Object.values(exports).map((path) => path.slice(2));
}

/** Installs what Bun and Node need to run this tree. */
export async function installPackages(): Promise<void> {
  await installOnce(ROOT);
}

/** Installs what the tests need besides: packages whose programs are run, and test runners to run them in. */
export async function installTestPackages(): Promise<void> {
  await Promise.all([ROOT, `${ROOT}/tests/packages`, `${ROOT}/tests/runners`].map(installOnce));
}

/** Installs the large modules that only the benchmarks need. */
export async function installBenchModules(): Promise<void> {
  await installOnce(`${ROOT}/bench/modules`);
}

/** Installs what a folder's lock file says, or its package.json where it has none; once for each content of it. */
async function installOnce(folder: string): Promise<void> {
  const lock = await Deno.readTextFile(`${folder}/package-lock.json`).catch(() => undefined);
  const wanted = lock ?? await Deno.readTextFile(`${folder}/package.json`);
  const command = lock === undefined ? ["install", "--no-package-lock"] : ["ci"];
  const modules = `${folder}/node_modules`;
  const stamp = `${modules}/.installed`;
  if (await Deno.readTextFile(stamp).catch(() => "") === wanted) return;
  // npm empties the folder that a link leads to, which is another tree's.
  const { isSymlink } = await Deno.lstat(modules).catch(() => ({ isSymlink: false }));
  if (isSymlink) throw new Error(`Cannot install packages: ${modules} is a link; remove it, or install where it leads`);
  console.log(`Installing packages with npm${folder === ROOT ? "" : ` in ${folder.slice(ROOT.length + 1)}`}`);
  const args = [...command, "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder];
  const { code, output } = await run([npm("npm"), ...args], { capture: true });
  if (code !== 0) throw new Error(`npm ${command[0]} failed:\n${output}`);
  await Deno.writeTextFile(stamp, wanted);
}

/** The runtimes: this Deno, and the others from the npm registry, by the path of their own binaries. */
export async function findRuntimes(config: string, names = Object.keys(VERSIONS)): Promise<Runtime[]> {
  const deno = {
    name: `Deno ${Deno.version.deno}`,
    command: [Deno.execPath(), "run", "-A", "--no-lock", "--config", `${ROOT}/${config}`],
  };
  const runtimes: Runtime[] = [deno];
  for (const name of names) runtimes.push(await findRuntime(name));
  return runtimes;
}

async function findRuntime(name: string): Promise<Runtime> {
  const spec = VERSIONS[name as keyof typeof VERSIONS];
  const script = "console.log(JSON.stringify([process.versions.bun ?? process.versions.node, process.execPath]))";
  const { code, output } = await run([npm("npx"), "-y", spec, "-e", script], { capture: true });
  const [version, path] = JSON.parse(output.match(/^\[".*"\]$/m)?.[0] ?? "[]");
  if (code !== 0 || !path) throw new Error(`npx ${spec} failed:\n${output}`);
  return { name: `${name.startsWith("bun") ? "Bun" : "Node"} ${version}`, command: [path] };
}

/** Packs the package as JSR's npm registry does, a file for each of ours; gives its folder. */
export async function packForNode(config: string): Promise<string> {
  const folder = `${ROOT}/.cache/packed`;
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  const tarball = `${folder}/package.tgz`;
  const options = ["--allow-dirty", "--no-source-maps", "--config", config, "-o", tarball];
  for (const command of [[Deno.execPath(), "pack", ...options], ["tar", "xzf", tarball, "-C", folder]]) {
    const { code, output } = await run(command, { capture: true });
    if (code !== 0) throw new Error(output);
  }
  // JSR's npm packages name each other so that Node finds JavaScript; the stand-in here is TypeScript.
  const user = `${folder}/package/src/disk/entry_checks.js`;
  const source = await Deno.readTextFile(user);
  await Deno.writeTextFile(
    user,
    source.replace("@std/crypto/timing-safe-equal", "../../dev/std/crypto/timing_safe_equal.js"),
  );
  return `${folder}/package`;
}

function npm(name: "npm" | "npx"): string {
  return Deno.build.os === "windows" ? `${name}.cmd` : name;
}
