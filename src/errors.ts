// Every error class and code of the cache. Wrong use is a TypeError or RangeError, a failed compile the engine's own error.

/**
 * Kind of a cache fault: `"IO"` the file system refused, `"SERIALIZE"` the engine could not give or take an artifact,
 * `"CORRUPT"` an entry is not what was written, `"LOCK_TIMEOUT"` another process holds the lock for too long, `"LIMIT"`
 * an entry has no room within the limits, `"UNTRUSTED"` others could change machine code in the directory, `"NETWORK"` nobody
 * answered and what is kept was used.
 */
export type CacheErrorCode = "IO" | "SERIALIZE" | "CORRUPT" | "LOCK_TIMEOUT" | "LIMIT" | "UNTRUSTED" | "NETWORK";

/** Where and why a {@linkcode CacheError} arose. */
export interface CacheErrorOptions extends ErrorOptions {
  /** File or directory concerned. */
  path?: string;
}

/**
 * A fault of the cache itself, never of the module.
 *
 * With `strict: true` lookups throw it; otherwise it is handed to `onWarning` and the lookup goes on as a miss.
 *
 * @example Decide on the code, never on the message
 * ```ts
 * import { CacheError } from "@wasm/module-cache";
 *
 * const error = new CacheError("IO", "Cannot write entry: disk full", { path: "/tmp/cache" });
 * console.log(error.code, error.path); // "IO" "/tmp/cache"
 * ```
 */
export class CacheError extends Error {
  /** Class name, for logs. */
  override readonly name = "CacheError";
  /** Kind of the fault. */
  readonly code: CacheErrorCode;
  /** File or directory concerned, if any. */
  readonly path?: string;

  /**
   * Makes a fault.
   *
   * @param code Kind of the fault.
   * @param message "Cannot act what: state found".
   * @param options Path concerned, and the error behind this one as `cause`.
   */
  constructor(code: CacheErrorCode, message: string, options: CacheErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.path = options.path;
  }
}

/** What `onWarning` gets: the fault that strict mode would have thrown. */
export type CacheWarning = CacheError;

/**
 * Names the system's code of an error, alike on every runtime.
 *
 * @returns `"ENOENT"` and the like; for errors without a code (Deno's `NotCapable`) their class name.
 */
export function systemCode(error: unknown): string {
  try {
    const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
    return typeof code === "string" ? code : typeof name === "string" ? name : "unknown";
  } catch {
    // Engines may throw what cannot be looked at.
    return "unknown";
  }
}

/** Tells whether nothing is there: no such file, or a file where a directory would be. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(systemCode(error));
}

/** Tells whether something is there that the cache never makes: a link (EMLINK on FreeBSD), a directory, or no file. */
export function isForeign(error: unknown): boolean {
  return ["ELOOP", "EMLINK", "ENXIO", "EISDIR"].includes(systemCode(error));
}

/** A fault of the file system, with the runtime's own error as its cause; what is a fault of the cache already stays that. */
export function ioFault(act: string, path: string, cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  return new CacheError("IO", `Cannot ${act} ${path}: ${systemCode(cause)}`, { path, cause });
}

/** Tells whether a fault says that the directory is gone: what would have been written behind the caller is dropped. */
export function isGone({ code, cause }: CacheError): boolean {
  return code === "IO" && systemCode(cause) === "ENOENT";
}
