// Makes the npm form of the package: few files, for Node takes half a millisecond to load each. Types are those of
// `deno pack`; other packages stay dependencies, but for one of which little is used. `task pack` leaves a tarball in
// .cache/npm.

import { chooseConfig, packForNode, ROOT, run } from "./tools.ts";

const FOLDER = `${ROOT}/.cache/npm`;

/** What is in the one file that all entries but `register` share, and what else is loaded from it when it is needed. */
const ENTRIES = {
  mod: "mod",
  binaryen: "binaryen",
  "remote-http": "remote/http",
  "remote-unstorage": "remote/unstorage",
  unpack: "unpack",
  v8: "v8",
  wat: "wat",
};
const PARTS = {
  backend: "src/register/backend",
  loader: "src/load/loader",
  inventory: "src/disk/inventory",
  engine: "src/v8/engine",
};

/** What is in a second file, which few programs load. */
const NATIVE = { wasmtime: "wasmtime", facade: "src/wasmtime/facade/facade" };

/** Files that run on their own, found beside those above. */
const PROGRAMS = [
  "cli",
  "src/v8/process_main",
  "src/steps/optimize_worker",
  "src/wasmtime/compiler_main",
  "src/wasmtime/ticker_main",
];

/** Packages of which little is used, or only by the command line. */
const BUNDLED = ["bytes", "cli-progress", "cli-table3", "hash-wasm", "ms"];

/** Packages that those use. */
const THEIRS = ["ansi-regex", "emoji-regex", "is-fullwidth-code-point", "string-width", "strip-ansi"];

/** The command that is installed with the package, and its file. */
const COMMAND = { "wasm-module-cache": "./lib/cli.js" };

/** Where Deno has put packages: that is no one else's business. */
const DOWNLOADED = /(?:\.\.\/)+[^"\s]*\/npm\/[^/"\s]+\//g;

/** Where other files of the package are loaded from: bundled, they would be loaded with those that load them. */
const LAZY = {
  "./backend.ts": "./backend.js",
  "./load/loader.ts": "./loader.js",
  "./disk/inventory.ts": "./inventory.js",
};

/** What the bundler makes of a literal `require`, which the bundlers of users must see. */
const HIDDEN_REQUIRE = '__require("./backend';

/**
 * Makes the package.
 *
 * @returns Its folder.
 */
export async function packForNpm(config: string): Promise<string> {
  const target = `${FOLDER}/package`;
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
  await copyTypes(await packForNode(config), target);
  const about = JSON.parse(await Deno.readTextFile(`${target}/package.json`));
  for (const name of BUNDLED) delete about.dependencies[name];
  await bundle(config, target, Object.keys(about.dependencies));
  await copyLicenses(target);
  await Deno.writeTextFile(`${target}/package.json`, JSON.stringify(await described(about), undefined, 2));
  await Deno.remove(`${FOLDER}/inputs`, { recursive: true });
  return target;
}

/** Writes the licenses of what is bundled. */
async function copyLicenses(target: string): Promise<void> {
  const texts = [];
  for (const name of [...BUNDLED, ...THEIRS]) {
    const folder = `${ROOT}/node_modules/${name}`;
    for await (const { name: file } of Deno.readDir(folder)) {
      if (/^licen[cs]e/i.test(file)) texts.push(`${name}\n\n${await Deno.readTextFile(`${folder}/${file}`)}`);
    }
  }
  await Deno.writeTextFile(`${target}/lib/LICENSES.txt`, texts.join(`\n${"-".repeat(80)}\n\n`));
}

/** Takes what is no JavaScript. */
async function copyTypes(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (name === "dev" || name === "deno.json") continue;
    if (isDirectory) await copyTypes(`${from}/${name}`, `${to}/${name}`);
    else if (!name.endsWith(".js")) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Bundles the library into three files and what they share, and the programs apart, or it would be in many more. */
async function bundle(config: string, target: string, packages: string[]): Promise<void> {
  const inputs = `${FOLDER}/inputs`;
  await Deno.mkdir(inputs);
  const exporting = (parts: Record<string, string>) =>
    Object.values(parts).map((path) => `export * from "${ROOT}/${path}.ts";\n`).join("");
  const library: Record<string, string> = {
    core: exporting({ ...ENTRIES, ...PARTS }),
    native: exporting(NATIVE),
    register: `export * from "${ROOT}/register.ts";\n`,
  };
  const programs = Object.fromEntries(
    PROGRAMS.map((path) => [path.split("/").at(-1)!, `export * from "${ROOT}/${path}.ts";\n`]),
  );
  for (const [name, text] of Object.entries({ ...library, ...programs })) {
    await Deno.writeTextFile(`${inputs}/${name}.ts`, text);
  }
  const external = packages.flatMap((name) => [name, `${name}/*`]);
  const options = ["--config", config, "--no-lock", "--code-splitting", "--outdir", `${target}/lib`];
  const bundled = (names: object, external: string[], ...more: string[]) => {
    const flags = external.map((name) => `--external=${name}`);
    const files = Object.keys(names).sort().map((name) => `${inputs}/${name}.ts`);
    return checked("bundle", ...options, ...more, ...flags, ...files);
  };
  await bundled(library, [...Object.keys(LAZY), ...external], "--platform=browser", "--sourcemap=linked");
  // Without maps, which would be larger than they are.
  await bundled(programs, external, "--minify");
  await linkFiles(config, target);
}

async function checked(...args: string[]): Promise<string> {
  const { code, output } = await run([Deno.execPath(), ...args], { capture: true });
  if (code !== 0) throw new Error(output);
  return output;
}

/** Writes the files that only name what is in the one, and lets those that load them do so. */
async function linkFiles(config: string, target: string): Promise<void> {
  for (const [name, path] of Object.entries({ ...ENTRIES, ...PARTS, ...NATIVE })) {
    const file = Object.hasOwn(NATIVE, name) ? "native" : "core";
    // By a process that resolves as the config says.
    const script = `console.log("names: " + Object.keys(await import(${
      JSON.stringify(`file://${ROOT}/${path}.ts`)
    })).join(", "))`;
    const names = (await checked("eval", "--config", config, "--no-lock", script)).match(/^names: (.+)$/m)?.[1];
    if (names === undefined) throw new Error(`Cannot pack: ${path} names no exports`);
    await Deno.writeTextFile(`${target}/lib/${name}.js`, `export { ${names} } from "./${file}.js";\n`);
  }
  // Where the core looks for it.
  await Deno.mkdir(`${target}/v8`);
  await Deno.writeTextFile(`${target}/v8/engine.js`, `export * from "../lib/engine.js";\n`);
  await Deno.mkdir(`${target}/wasmtime/facade`, { recursive: true });
  await Deno.writeTextFile(`${target}/wasmtime/facade/facade.js`, `export * from "../../lib/facade.js";\n`);
  for await (const { name } of Deno.readDir(`${target}/lib`)) {
    const text = (await Deno.readTextFile(`${target}/lib/${name}`))
      .replace(DOWNLOADED, "npm:").replace(HIDDEN_REQUIRE, HIDDEN_REQUIRE.slice(2));
    const replaced = Object.entries(LAZY).reduce((text, [from, to]) => text.replaceAll(`"${from}"`, `"${to}"`), text);
    const isCommand = name === COMMAND["wasm-module-cache"].slice(6);
    await Deno.writeTextFile(`${target}/lib/${name}`, isCommand ? `#!/usr/bin/env node\n${replaced}` : replaced);
  }
}

/** The package's description: what the entries are now, and which libraries of the steps it goes with. */
async function described(about: { exports: Record<string, object> }): Promise<object> {
  const { devDependencies, engines } = JSON.parse(await Deno.readTextFile(`${ROOT}/package.json`));
  const libraries = ["binaryen", "wabt"];
  const exports = Object.entries(about.exports).map(([entry]) => {
    const name = entry === "." ? "mod" : entry.slice(2);
    return [entry, { types: `./${name}.d.ts`, default: `./lib/${name.replace("/", "-")}.js` }];
  });
  return {
    ...about,
    main: "./lib/mod.js",
    bin: COMMAND,
    engines,
    exports: Object.fromEntries(exports),
    peerDependencies: Object.fromEntries(libraries.map((name) => [name, devDependencies[name]])),
    peerDependenciesMeta: Object.fromEntries(libraries.map((name) => [name, { optional: true }])),
  };
}

if (import.meta.main) {
  const folder = await packForNpm(await chooseConfig());
  const { code, output } = await run(["tar", "czf", `${FOLDER}/package.tgz`, "-C", `${folder}/..`, "package"], {
    capture: true,
  });
  if (code !== 0) throw new Error(output);
  console.log(`${FOLDER}/package.tgz`);
}
