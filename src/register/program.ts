// Facts about the program under `register`: its environment, its user's cache folder, its version of Node, the caller
// of a call, and how our modules are loaded. Never prompts; what it may not read counts as absent.

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
    versions?: { node?: string };
    cwd?(): string;
    getBuiltinModule?<N extends keyof Builtins>(name: N): Builtins[N];
  };
}

interface Builtins {
  "node:os": { homedir(): string; userInfo(): { homedir: string } };
  "node:module": { createRequire(base: string): (path: string) => unknown };
}

type Permission =
  | { name: "env"; variable: string }
  | { name: "read"; path: URL | string }
  | { name: "sys"; kind: "homedir" };

const { Deno: deno, process } = runtime();

/** On Deno `process` is not touched, which would take 20 ms. */
function runtime(): Runtime {
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

/** Whether a file may be read without a prompt. */
function mayRead(path: URL): boolean {
  return isGranted({ name: "read", path });
}

function isGranted(permission: Permission): boolean {
  return !deno || deno.permissions.querySync(permission).state === "granted";
}

/** The value found; `undefined` if it is empty or cannot be determined. */
function known(find: () => string | undefined): string | undefined {
  try {
    return find() || undefined;
  } catch {
    return undefined;
  }
}

/**
 * Loads a module that is beside another.
 *
 * @param base URL of the other, `import.meta.url`; a CommonJS bundle has none.
 * @param path Relative path, without the extension, which is the other's.
 * @returns `undefined` if the runtime cannot load it synchronously, the program may not read it, it is not there (in a
 * bundle), or it belongs to another realm.
 */
export function requireSync(base: string | undefined, path: string): object | undefined {
  if (!base?.startsWith("file:")) return undefined;
  const target = path + base.slice(base.lastIndexOf("."));
  try {
    if (!mayRead(new URL(target, base))) return undefined;
    // Worth Deno's 20 ms here.
    const loaded = (globalThis as Runtime).process?.getBuiltinModule?.("node:module").createRequire(base)(target) as
      | object
      | undefined;
    return loaded && isOfThisRealm(loaded) ? loaded : undefined;
  } catch {
    return undefined;
  }
}

/** Vitest runs programs in a realm of their own, and Node loads into its own: modules compiled there have another class. */
function isOfThisRealm(loaded: object): boolean {
  return Object.values(loaded).every((value) => typeof value !== "function" || value instanceof Function);
}

interface CallSite {
  getFileName(): string | null | undefined;
}

/** The first Node that is served. */
const FIRST_NODE = [22, 18] as const;

/** Why this runtime is not served; `undefined` where it is. */
export function whyNotServed(): string | undefined {
  // Bun has a Node version too.
  if ("Bun" in globalThis) return undefined;
  const version = process?.versions?.node;
  if (version === undefined) return undefined;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < FIRST_NODE[0] || (major === FIRST_NODE[0] && minor < FIRST_NODE[1]);
  return isOld ? `Node ${version} is too old: it must be ${FIRST_NODE.join(".")} or later` : undefined;
}

/** The file of Node that compiles `import "./a.wasm"`: Node's own code, for the program. */
const LOADER = "node:internal/modules/esm/translators";
/** Beginning of the names of modules that JS string builtins are imported from. */
const BUILTIN = "wasm:js";

/**
 * Whether the caller of a function is Node's own code.
 *
 * @param called The function.
 */
export function isCalledByNode(called: (...given: never[]) => unknown): boolean {
  return fileOfCaller(called)?.startsWith("node:") ?? false;
}

/**
 * Whether the caller of a function is Node's loader, compiling code that the program imports, and its options have no
 * effect on this code.
 *
 * @param called The function.
 */
export function isImport(called: (...given: never[]) => unknown, code: Uint8Array, options: unknown): boolean {
  if (fileOfCaller(called) !== LOADER) return false;
  const { builtins, importedStringConstants = BUILTIN, ...others } = options as Record<string, unknown>;
  return String(builtins) === "js-string" && String(importedStringConstants).startsWith(BUILTIN) &&
    Object.keys(others).length === 0 && !includes(code, BUILTIN);
}

/** Searches at the speed of memory: 1 ms for 14 MB. */
function includes({ buffer, byteLength, byteOffset }: Uint8Array, text: string): boolean {
  const { Buffer } = globalThis as unknown as { Buffer: typeof import("node:buffer").Buffer };
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).includes(text);
}

/** File of the caller of a function; `undefined` if it cannot be determined. */
function fileOfCaller(called: (...given: never[]) => unknown): string | undefined {
  const V8 = Error as unknown as {
    captureStackTrace?(holder: object, below: unknown): void;
    prepareStackTrace?: unknown;
  };
  if (!V8.captureStackTrace) return undefined;
  const { prepareStackTrace, stackTraceLimit } = V8 as Record<string, unknown>;
  const holder: { stack?: unknown } = {};
  // If the properties are frozen, the caller stays unknown.
  Reflect.set(V8, "stackTraceLimit", 1);
  Reflect.set(V8, "prepareStackTrace", (_error: unknown, sites: CallSite[]) => sites);
  try {
    V8.captureStackTrace(holder, called);
    const [site] = Array.isArray(holder.stack) ? holder.stack as CallSite[] : [];
    return site?.getFileName() ?? undefined;
  } catch {
    return undefined;
  } finally {
    Reflect.set(V8, "stackTraceLimit", stackTraceLimit);
    Reflect.set(V8, "prepareStackTrace", prepareStackTrace);
    if (prepareStackTrace === undefined) Reflect.deleteProperty(V8, "prepareStackTrace");
  }
}
