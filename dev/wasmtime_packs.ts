// Makes npm packages of Wasmtime's library, one for each kind of machine: `task packs:wasmtime [NAME...]` leaves folders
// and tarballs in .cache/wasmtime/packs. Publishes nothing.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { FOLDER, libraryOf, unpackWheel, VERSION, type Wheel, WHEELS } from "./wasmtime_wheels.ts";

const LICENSE = "Apache-2.0 WITH LLVM-exception";

/**
 * Makes a package.
 *
 * @param folder Where its folder and its tarball will be.
 * @returns Path of the tarball.
 * @throws {Error} When the wheel cannot be got.
 */
export function packWheel(wheel: Wheel, folder: string): string {
  const wheelFolder = unpackWheel(wheel);
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(folder, `.${wheel.name}-`));
  try {
    copyFileSync(libraryOf(wheel), join(work, wheel.file));
    copyFileSync(join(wheelFolder, `wasmtime-${VERSION}.dist-info`, "licenses", "LICENSE"), join(work, "LICENSE"));
    writeFileSync(join(work, "package.json"), `${JSON.stringify(manifestOf(wheel), undefined, 2)}\n`);
    writeFileSync(join(work, "README.md"), readmeOf(wheel));
    const tarball = packed(work, folder);
    rmSync(join(folder, wheel.name), { recursive: true, force: true });
    renameSync(work, join(folder, wheel.name));
    return tarball;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function manifestOf({ name, os, cpu, libc, file }: Wheel): object {
  return {
    name: `@wasm-module-cache/wasmtime-${name}`,
    version: VERSION,
    description: `Wasmtime's C library for ${name}, as its project built it`,
    license: LICENSE,
    os: [os],
    cpu: [cpu],
    ...(libc ? { libc: [libc] } : {}),
    files: [file],
    // To resolve the package is to find the library: it has no code.
    exports: { ".": `./${file}`, "./package.json": "./package.json" },
  };
}

function readmeOf({ name, file, platform, sha256 }: Wheel): string {
  return `# @wasm-module-cache/wasmtime-${name}

\`${file}\` of Wasmtime ${VERSION}, unchanged, for the Wasmtime engine of \`@wasm/module-cache\`, which finds it where this
package is installed. From the wheel \`wasmtime-${VERSION}-py3-none-${platform}.whl\` (SHA-256 \`${sha256}\`).

License: ${LICENSE}, see LICENSE.
`;
}

function packed(from: string, to: string): string {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const { error, status, stdout, stderr } = spawnSync(npm, ["pack", "--json", "--pack-destination", to], {
    cwd: from,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (error || status !== 0) throw new Error(`Cannot run npm pack: ${error?.message ?? stderr}`);
  const about = JSON.parse(stdout) as Record<string, { filename: string }> | [{ filename: string }];
  const [{ filename }] = Object.values(about) as [{ filename: string }];
  return join(to, filename.replace("@", "").replace("/", "-"));
}

if (import.meta.main) {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !WHEELS.some((wheel) => wheel.name === name));
  if (unknown.length > 0) throw new Error(`There is no package for ${unknown.join(", ")}`);
  for (const wheel of WHEELS.filter(({ name }) => names.length === 0 || names.includes(name))) {
    console.log(packWheel(wheel, join(FOLDER, "..", "packs")));
  }
}
