// What Node is to a program under `register`: too old to be served, or the caller itself, for its fetch and its TypeScript
// compile modules through the globals.

interface CallSite {
  getFileName(): string | null | undefined;
}

/** The first Node that is served. */
const FIRST_NODE = [22, 18] as const;

/** Why this runtime is not served; `undefined` where it is. */
export function whyNotServed(): string | undefined {
  const globals = globalThis as { Bun?: unknown; Deno?: unknown; process?: { versions?: { node?: string } } };
  // Both have a Node version too; and to touch `process` takes Deno 20 ms.
  if (globals.Deno || globals.Bun) return undefined;
  const version = globals.process?.versions?.node;
  if (version === undefined) return undefined;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < FIRST_NODE[0] || (major === FIRST_NODE[0] && minor < FIRST_NODE[1]);
  return isOld ? `Node ${version} is too old: it must be ${FIRST_NODE.join(".")} or later` : undefined;
}

/** Compiles what `import "./a.wasm"` names: Node's own code, for the program. */
const LOADER = "node:internal/modules/esm/translators";
/** How the names of modules begin that JS string builtins are imported from: without it, they mean nothing to code. */
const BUILTIN = "wasm:js";

/**
 * Tells whether the caller of a function is Node's own code.
 *
 * @param called The function.
 */
export function isCalledByNode(called: (...given: never[]) => unknown): boolean {
  return fileOfCaller(called)?.startsWith("node:") ?? false;
}

/**
 * Tells whether the caller of a function is Node's loader, which compiles code that the program imports, and the options
 * that it gives mean nothing to this code.
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

/** File of the caller of a function; `undefined` where that cannot be known. */
function fileOfCaller(called: (...given: never[]) => unknown): string | undefined {
  const V8 = Error as unknown as {
    captureStackTrace?(holder: object, below: unknown): void;
    prepareStackTrace?: unknown;
  };
  if (!V8.captureStackTrace) return undefined;
  const { prepareStackTrace, stackTraceLimit } = V8 as Record<string, unknown>;
  const holder: { stack?: unknown } = {};
  // Where somebody has put these properties out of reach, nothing is known.
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
