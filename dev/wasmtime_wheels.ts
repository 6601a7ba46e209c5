// Wasmtime's library, out of the wheels that its project publishes: one version, each file known by its SHA-256. Gets
// them by pip; keeps them in .cache/wasmtime. Runs on every runtime, for the tests use it.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { target } from "../src/wasmtime/library.ts";

/** The version of Wasmtime that this release works with. */
export const VERSION = "50.0.1";

/** A wheel, and the npm package that is made of it. */
export interface Wheel {
  /** What the package's name ends with. */
  readonly name: string;
  /** Operating system, as npm names it. */
  readonly os: string;
  /** Architecture, as npm names it. */
  readonly cpu: string;
  /** C's library, as npm names it; on Linux only. */
  readonly libc?: "glibc" | "musl";
  /** Platform, as the wheel's name has it. */
  readonly platform: string;
  /** SHA-256 of the wheel. */
  readonly sha256: string;
  /** The library in the wheel. */
  readonly member: string;
  /** The library in the package. */
  readonly file: string;
}

/** All that there are. */
export const WHEELS: readonly Wheel[] = [
  linux("x64", "glibc", "manylinux1_x86_64", "cc14c3a17654e0394e0225b11813532ef0cd7bd1e222a0c5494cdedaabeddac4"),
  linux("arm64", "glibc", "manylinux2014_aarch64", "675484e525c028dc02762b777f1db4477ea70caa3fec6775426daff4d64edfb1"),
  linux("x64", "musl", "musllinux_1_2_x86_64", "e3e2051b02b8a47e2418f569e380843e87c1d74c40cd843bfa14c223245d420b"),
  linux("arm64", "musl", "musllinux_1_2_aarch64", "f9c6973ae735946b3387b7a8e812ecd350eac3152c4b73998a57899dd9c4345c"),
  darwin("x64", "macosx_10_13_x86_64", "13fe813b922712a9e10fe0f48b2c56da06432eea4b24269bb7cd3a6b2720560b"),
  darwin("arm64", "macosx_11_0_arm64", "ff4fc58ed3cbdb919d056accd4d280be13962a542754aaefd8a9b4654efa9bd9"),
  windows("x64", "win_amd64", "a8999581230471f4ff62073b1111eff3a01d45ccec0a908da3f2ae3a499d459c"),
  windows("arm64", "win_arm64", "83ddab2358ebde392a065581f2c66995a711ccc25ad0aee7b1d20f8c688075d2"),
];

type Cpu = "x64" | "arm64";

function machine(cpu: Cpu): string {
  return cpu === "x64" ? "x86_64" : "aarch64";
}

function linux(cpu: Cpu, libc: "glibc" | "musl", platform: string, sha256: string): Wheel {
  const [name, member] = [`linux-${cpu}${libc === "musl" ? "-musl" : ""}`, `linux-${machine(cpu)}/_libwasmtime.so`];
  return { name, os: "linux", cpu, libc, platform, sha256, member, file: "libwasmtime.so" };
}

function darwin(cpu: Cpu, platform: string, sha256: string): Wheel {
  const member = `darwin-${machine(cpu)}/_libwasmtime.dylib`;
  return { name: `darwin-${cpu}`, os: "darwin", cpu, platform, sha256, member, file: "libwasmtime.dylib" };
}

function windows(cpu: Cpu, platform: string, sha256: string): Wheel {
  const member = `win32-${machine(cpu)}/_wasmtime.dll`;
  return { name: `win32-${cpu}`, os: "win32", cpu, platform, sha256, member, file: "wasmtime.dll" };
}

/** The one for this machine, if there is one. */
export function wheelHere(): Wheel | undefined {
  const { os, arch, isMusl } = target();
  const libc = os === "linux" ? isMusl ? "musl" : "glibc" : undefined;
  return WHEELS.find((wheel) => wheel.os === os && wheel.cpu === arch && wheel.libc === libc);
}

/** Where its library is, once it is unpacked. */
export function libraryOf({ name, member }: Wheel): string {
  return join(FOLDER, name, "wasmtime", member);
}

/** Where they are kept. */
export const FOLDER: string = join(dirname(fileURLToPath(import.meta.url)), "..", ".cache", "wasmtime", VERSION);

/**
 * Gets a wheel, if it is not there, and unpacks it.
 *
 * @returns The folder of what is in it.
 * @throws {Error} When there is no pip, or what it gets is not the wheel that is known.
 */
export function unpackWheel(wheel: Wheel): string {
  const target = join(FOLDER, wheel.name);
  if (existsSync(target)) return target;
  mkdirSync(FOLDER, { recursive: true });
  const work = mkdtempSync(join(FOLDER, `.${wheel.name}-`));
  try {
    python(["-m", "zipfile", "-e", download(wheel, work), join(work, "unpacked")]);
    publish(join(work, "unpacked"), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return target;
}

function download({ name, platform, sha256 }: Wheel, folder: string): string {
  const options = ["--quiet", "--no-deps", "--only-binary=:all:", "--platform", platform, "--dest", folder];
  python(["-m", "pip", "download", ...options, `wasmtime==${VERSION}`]);
  const path = join(folder, `wasmtime-${VERSION}-py3-none-${platform}.whl`);
  const found = createHash("sha256").update(readFileSync(path)).digest("hex");
  if (found !== sha256) throw new Error(`Cannot use the wheel for ${name}: its SHA-256 is ${found}, not ${sha256}`);
  return path;
}

/** Whole or not at all: other processes may do the same, and the first one wins. */
function publish(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}

function python(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync(process.platform === "win32" ? "python" : "python3", args, {
    encoding: "utf8",
  });
  if (error || status !== 0) throw new Error(`Cannot run python ${args.join(" ")}: ${error?.message ?? stderr}`);
}
