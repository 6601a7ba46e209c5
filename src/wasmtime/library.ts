// Where Wasmtime's library is, and why this process cannot use one. Opens nothing, and never prompts. Must not know
// what is done with the library.

import { describe } from "../bytes.ts";
import { detectPlatform } from "../platform/detect.ts";
import { pathOf } from "../platform/file_url.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { hasNodeFfi } from "../platform/node_ffi.ts";

interface DenoGlobal {
  readonly build: { readonly os: string; readonly arch: string };
  readonly mainModule: string;
  readonly env: { get(name: string): string | undefined };
  readonly permissions: { querySync(asked: { name: string; variable?: string }): { state: string } };
  cwd(): string;
  realPathSync(path: string): string;
}

/** Deno's API, where this is Deno: there `process` is not touched, which would take 20 ms. */
const { Deno: deno } = globalThis as { Deno?: DenoGlobal };

/** A kind of machine, as npm names it. */
export interface Target {
  /** Operating system: `linux`, `darwin`, `win32`. */
  readonly os: string;
  /** Architecture: `x64`, `arm64`. */
  readonly arch: string;
  /** Whether C's library is musl. */
  readonly isMusl: boolean;
}

let known: Target | undefined;

/** The kind of this machine. */
export function target(): Target {
  return known ??= foundTarget();
}

function foundTarget(): Target {
  const { os, arch } = deno?.build ?? { os: nodeProcess().platform, arch: nodeProcess().arch };
  // The name under which musl's own distributions have it: others install musl beside glibc.
  const isMusl = os === "linux" && realPath(`/lib/libc.musl-${ARCHES.get(arch) ?? arch}.so.1`) !== undefined;
  return { os: os === "windows" ? "win32" : os, arch: NPM_ARCHES.get(arch) ?? arch, isMusl };
}

const NPM_ARCHES = new Map([["x86_64", "x64"], ["aarch64", "arm64"]]);
const ARCHES = new Map([["x64", "x86_64"], ["arm64", "aarch64"]]);

/** Name of the library's file, by operating system. */
const FILES: Readonly<Record<string, string>> = {
  linux: "libwasmtime.so",
  darwin: "libwasmtime.dylib",
  win32: "wasmtime.dll",
};

/** Where systems keep libraries. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  linux: ["/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"],
  darwin: ["/opt/homebrew/lib", "/usr/local/lib"],
};

/** Why this process cannot use Wasmtime, wherever the library is; `undefined` if it can. For people. */
export function whyNotHere(): string | undefined {
  const missing = whyNoCalls();
  if (missing !== undefined) return missing;
  const { os, arch, isMusl } = target();
  if (os !== "linux" || arch !== "x64" || isMusl) {
    return `this is an untried platform, ${os} ${arch}${
      isMusl ? " with musl" : ""
    }: only linux x64 with glibc was tried`;
  }
  return undefined;
}

function whyNoCalls(): string | undefined {
  const { name } = detectPlatform();
  if (name === "bun") return undefined;
  if (name === "deno") {
    if (!isGranted("ffi")) return "the permission to call native code is missing: --allow-ffi, for all libraries";
    return isGranted("read") ? undefined : NO_READ;
  }
  if (name !== "node") return "this runtime cannot call native code";
  if (hasNodeFfi()) return undefined;
  const { permission, versions } = nodeProcess();
  return permission && !permission.has("ffi") && parseInt(versions.node!) >= FIRST_NODE
    ? "the permission to call native code is missing: --allow-ffi"
    : `Node ${versions.node} cannot call native code: ${FIRST_NODE} can`;
}

/** The first Node that calls native code. */
const FIRST_NODE = 26;

/** Deno follows no link without a prompt for a program that may read some folders only. */
const NO_READ = "the permission to find the library is missing: --allow-read, for all files";

function isGranted(name: string, variable?: string): boolean {
  return !deno || deno.permissions.querySync({ name, ...(variable ? { variable } : {}) }).state === "granted";
}

/**
 * Finds the library: what the caller names, else what the variable `WASM_CACHE_WASMTIME` names, else that of the npm
 * package for this machine, else the system's. What is named and is not there is not replaced by another.
 *
 * @param library Path or `file:` URL.
 * @returns Its path without links, or why there is none.
 * @throws {TypeError} When `library` cannot be a path.
 */
export function findLibrary(library?: string | URL): { path: string } | { reason: string } {
  if (library !== undefined && typeof library !== "string" && !(library instanceof URL)) {
    throw new TypeError(`Cannot use library: not a path or URL but ${describe(library)}`);
  }
  const { files } = detectPlatform();
  if (!files) return { reason: "this runtime has no files" };
  const given = library === undefined ? undefined : files.resolve(pathOf(library, target().os === "win32"));
  if (!isGranted("read")) return { reason: NO_READ };
  if (given !== undefined) return named(given, "the option library");
  const path = fromVariable();
  if (path !== undefined) return named(path, VARIABLE);
  return found();
}

function named(path: string, by: string): { path: string } | { reason: string } {
  const file = fileAt(path);
  return file === undefined ? { reason: `${by} names ${path}, where no file can be read` } : { path: file };
}

const VARIABLE = "WASM_CACHE_WASMTIME";

/** Absolute paths by what the variable said: a program that changes its working directory keeps its library. */
const resolved = new Map<string, string>();

function fromVariable(): string | undefined {
  const value = !deno ? nodeProcess().env[VARIABLE] : isGranted("env", VARIABLE) ? deno.env.get(VARIABLE) : undefined;
  if (!value) return undefined;
  const path = resolved.get(value) ?? detectPlatform().files!.resolve(value);
  resolved.set(value, path);
  return path;
}

function found(): { path: string } | { reason: string } {
  const { os, arch, isMusl } = target();
  const name = `@wasm-module-cache/wasmtime-${os}-${arch}${isMusl ? "-musl" : ""}`;
  const file = FILES[os];
  if (file === undefined) return { reason: `there is no library for ${os}` };
  const packages = [...new Set(bases().flatMap(above))].map((folder) => `${folder}/node_modules/${name}/${file}`);
  const system = (FOLDERS[os] ?? []).map((folder) => `${folder}/${file}`);
  for (const candidates of [() => packages, () => resolvedByRuntime(name), () => system]) {
    for (const candidate of candidates()) {
      const path = fileAt(candidate);
      if (path !== undefined) return { path };
    }
  }
  return { reason: `there is no library: neither the option library, nor ${VARIABLE}, nor the package ${name}` };
}

/** Where there is no node_modules: in Deno's own cache, for a package that the program's deno.json names. */
function resolvedByRuntime(name: string): string[] {
  try {
    const { resolve } = import.meta as { resolve?(name: string): string };
    const path = localPath(resolve?.(name));
    return path === undefined ? [] : [path];
  } catch {
    // The program names no such package.
    return [];
  }
}

/** Folders whose packages are the program's: the working directory, that of its main module, and that of this file. */
function bases(): string[] {
  const main = deno?.mainModule ?? nodeProcess().argv[1];
  const files = [main, import.meta.url as string | undefined].map(localPath).filter((path) => path !== undefined);
  // A package manager may have linked the file from elsewhere.
  const real = files.flatMap((path) => [path, realPath(path) ?? path]);
  return [...workingFolder(), ...real.map((path) => path.replace(/[\\/][^\\/]*$/, ""))];
}

function workingFolder(): string[] {
  try {
    return [(deno ?? nodeProcess() as unknown as { cwd(): string }).cwd()];
  } catch {
    // It was removed.
    return [];
  }
}

function localPath(place: string | undefined): string | undefined {
  if (!place || !/^[a-z][a-z+.-]+:/i.test(place)) return place || undefined;
  return place.startsWith("file:") ? pathOf(new URL(place), target().os === "win32") : undefined;
}

/** A folder and all above it, nearest first. */
function above(folder: string): string[] {
  const parts = folder.replaceAll("\\", "/").replace(/\/+$/, "").split("/");
  return parts.map((_, i) => parts.slice(0, parts.length - i).join("/"));
}

/** Path of a file without links; `undefined` if it is none, or may not be read. */
function fileAt(path: string): string | undefined {
  const real = realPath(path);
  if (real === undefined) return undefined;
  const { files } = detectPlatform();
  return files!.mayAccess(real, "read") && files!.identify(real).sync().isFile ? real : undefined;
}

function realPath(path: string): string | undefined {
  try {
    if (!deno) return builtin("node:fs").realpathSync(path);
    return isGranted("read") ? deno.realPathSync(path) : undefined;
  } catch {
    // Whatever the reason, nothing can be opened there.
    return undefined;
  }
}
