// Facts about the program under `register`: its version of Node, the caller of a call, and how our modules are loaded.
// Never prompts; what it may not read counts as absent.

import { isGranted, type Runtime, runtime } from "../platform/environment.ts";

/** Whether a file may be read without a prompt. */
function mayRead(path: URL): boolean {
  return isGranted({ name: "read", path });
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
  const version = runtime().process?.versions?.node;
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
