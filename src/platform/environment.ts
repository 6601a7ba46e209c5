// What the environment says of a program: variables, and where its user's caches are. Never prompts, and takes what it may
// not know for absent.

interface Runtime {
  Deno?: {
    build: { os: string };
    cwd(): string;
    env: { get(name: string): string | undefined };
    permissions: { querySync(asked: Permission): { state: string } };
  };
  process?: {
    env?: Record<string, string | undefined>;
    platform?: string;
    cwd?(): string;
    getBuiltinModule?(name: "node:os"): { homedir(): string; userInfo(): { homedir: string } };
  };
}

type Permission =
  | { name: "env"; variable: string }
  | { name: "read"; path: URL | string }
  | { name: "sys"; kind: "homedir" };

const { Deno: deno, process } = runtime();

/** On Deno `process` is not touched: that takes 20 ms. */
function runtime(): Runtime {
  const { Deno } = globalThis as Runtime;
  return Deno ? { Deno } : { process: (globalThis as Runtime).process };
}

/** Value of an environment variable; `undefined` where it is not set, empty, or not to be known. */
export function variable(name: string): string | undefined {
  return known(() => {
    if (!isGranted({ name: "env", variable: name })) return undefined;
    return deno ? deno.env.get(name) : process?.env?.[name];
  });
}

/**
 * Names a directory for a cache: `WASM_CACHE_DIR` where it is set, otherwise `wasm-module-cache` in the user's cache
 * folder: `XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches` on macOS, `LOCALAPPDATA` on Windows. It is the one that
 * `register` uses.
 *
 * Does not touch the disk, and never prompts: on Deno a variable that the program may not read counts as not set.
 *
 * @returns An absolute path; `undefined` where it cannot be known, and a cache with it is in memory only. On Deno, a
 * relative `WASM_CACHE_DIR` stays relative where the program may not read the working directory.
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

/** What the system's list of users says; in containers it often knows nothing of the user. */
function homeOfUser(): string | undefined {
  if (!isGranted({ name: "sys", kind: "homedir" })) return undefined;
  const os = (process ?? (globalThis as Runtime).process)?.getBuiltinModule?.("node:os");
  // Deno wants more permissions for the latter; elsewhere the former does not look further than an empty HOME.
  return deno ? os?.homedir() : os?.userInfo().homedir;
}

/** A path as it is meant now; as it is where the working directory cannot be known. */
export function absolute(path: string | undefined): string | undefined {
  if (path === undefined || /^([\\/]|[A-Za-z]:)/.test(path)) return path;
  const folder = known(() => isGranted({ name: "read", path: "." }) ? (deno ?? process)?.cwd?.() : undefined);
  return folder === undefined ? path : `${folder}/${path}`;
}

/** Whether a file may be read without a prompt. */
export function mayRead(path: URL): boolean {
  return isGranted({ name: "read", path });
}

function isGranted(permission: Permission): boolean {
  return !deno || deno.permissions.querySync(permission).state === "granted";
}

/** `undefined` for what is empty or cannot be found out. */
function known(find: () => string | undefined): string | undefined {
  try {
    return find() || undefined;
  } catch {
    return undefined;
  }
}
