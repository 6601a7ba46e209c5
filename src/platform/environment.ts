// The program's environment: its variables, its working directory, and the user's cache folder. Never prompts; what it may
// not read counts as absent.

/** The globals of a runtime that are used here. */
export interface Runtime {
  /** Deno's. */
  Deno?: {
    build: { os: string };
    cwd(): string;
    env: { get(name: string): string | undefined };
    permissions: { querySync(asked: Permission): { state: string } };
  };
  /** Node's and Bun's. */
  process?: {
    env?: Record<string, string | undefined>;
    platform?: string;
    versions?: { node?: string };
    cwd?(): string;
    on?(event: "exit", call: () => void): unknown;
    getBuiltinModule?<N extends keyof Builtins>(name: N): Builtins[N];
  };
}

/** Built-in modules used here. */
export interface Builtins {
  /** The user's home. */
  "node:os": { homedir(): string; userInfo(): { homedir: string } };
  /** Loading modules. */
  "node:module": { createRequire(base: string): (path: string) => unknown };
}

/** A permission that is asked for. */
export type Permission =
  | { name: "env"; variable: string }
  | { name: "read"; path: URL | string }
  | { name: "sys"; kind: "homedir" };

const { Deno: deno, process } = runtime();

/** On Deno `process` is not touched, which would take 20 ms. */
export function runtime(): Runtime {
  const { Deno } = globalThis as Runtime;
  return Deno ? { Deno } : { process: (globalThis as Runtime).process };
}

/** Value of an environment variable; `undefined` if it is not set, empty, or may not be read. */
export function variable(name: string): string | undefined {
  return known(() => {
    if (!isGranted({ name: "env", variable: name })) return undefined;
    return deno ? deno.env.get(name) : process?.env?.[name];
  });
}

/**
 * Returns the default directory of a cache: `WASM_CACHE_DIR` if it is set, otherwise `wasm-module-cache` in the user's
 * cache folder: `XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `LOCALAPPDATA` on Windows. `register` uses
 * the same.
 *
 * Does not touch the disk, and never prompts: on Deno a variable that the program may not read counts as not set.
 *
 * @returns An absolute path, or `undefined` if it cannot be determined; a cache without a directory is memory only. On
 * Deno a relative `WASM_CACHE_DIR` stays relative if the program may not read the working directory.
 *
 * @example Share one directory with the user's other programs
 * ```ts
 * import { defaultDirectory, ModuleCache } from "@wasm/module-cache";
 *
 * const cache = new ModuleCache({ directory: defaultDirectory() });
 * console.log(cache.stats().compiled); // 0
 * ```
 */
export function defaultDirectory(): string | undefined {
  return absolute(variable("WASM_CACHE_DIR")) ?? below(userCaches(), "wasm-module-cache");
}

function userCaches(): string | undefined {
  const os = deno?.build.os ?? process?.platform;
  if (os === "windows" || os === "win32") return variable("LOCALAPPDATA");
  const home = () => rooted(variable("HOME")) ?? rooted(known(homeOfUser));
  if (os === "darwin") return below(home(), "Library/Caches");
  return rooted(variable("XDG_CACHE_HOME")) ?? below(home(), ".cache");
}

function rooted(path: string | undefined): string | undefined {
  return path?.startsWith("/") ? path : undefined;
}

function below(folder: string | undefined, path: string): string | undefined {
  return folder && `${folder}/${path}`;
}

/** Home folder from the system's list of users, which in containers often lacks the user. */
function homeOfUser(): string | undefined {
  if (!isGranted({ name: "sys", kind: "homedir" })) return undefined;
  const os = (process ?? (globalThis as Runtime).process)?.getBuiltinModule?.("node:os");
  // Deno requires more permissions for `userInfo`; on others `homedir` stops at an empty HOME.
  return deno ? os?.homedir() : os?.userInfo().homedir;
}

/** A path made absolute; unchanged if the working directory cannot be determined. */
export function absolute(path: string | undefined): string | undefined {
  if (path === undefined || /^([\\/]|[A-Za-z]:)/.test(path)) return path;
  const folder = known(() => isGranted({ name: "read", path: "." }) ? (deno ?? process)?.cwd?.() : undefined);
  return folder === undefined ? path : `${folder}/${path}`;
}

/** Whether a permission is granted, without a prompt. */
export function isGranted(permission: Permission): boolean {
  return !deno || deno.permissions.querySync(permission).state === "granted";
}

/** The value found; `undefined` if it is empty or cannot be determined. */
export function known(find: () => string | undefined): string | undefined {
  try {
    return find() || undefined;
  } catch {
    return undefined;
  }
}

/** Has a function called when the process ends, by itself or by a call; not when it is killed. */
export function atEnd(call: () => void): void {
  if (deno) globalThis.addEventListener("unload", call);
  else process?.on?.("exit", call);
}
