// Every error class and code of the cache. Wrong use is a TypeError or RangeError, a failed compile the engine's own error.

/**
 * Kind of a cache fault:
 *
 * - `"IO"`: the file system refused an operation.
 * - `"SERIALIZE"`: the engine failed to write or read an artifact.
 * - `"CORRUPT"`: an entry is not what was written.
 * - `"LOCK_TIMEOUT"`: another process held the lock for too long.
 * - `"LIMIT"`: an entry does not fit within the limits.
 * - `"UNTRUSTED"`: other users could change machine code in the directory.
 * - `"NETWORK"`: `load` got no usable answer and used what it had stored.
 * - `"REMOTE"`: the remote failed, or gave an entry that cannot be used.
 * - `"MISS"`: there was no hit, and `requireHit` forbids to compile.
 */
export type CacheErrorCode =
  | "IO"
  | "SERIALIZE"
  | "CORRUPT"
  | "LOCK_TIMEOUT"
  | "LIMIT"
  | "UNTRUSTED"
  | "NETWORK"
  | "REMOTE"
  | "MISS";

/** Where and why a {@linkcode CacheError} arose. */
export interface CacheErrorOptions extends ErrorOptions {
  /** File or directory concerned; an entry of the remote. */
  path?: string;
}

/**
 * A fault of the cache itself, never of the code or the engine.
 *
 * With `strict: true` lookups throw it. Otherwise `onWarning` receives it, and the lookup goes on as a miss.
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
  /** File, directory or entry of the remote concerned, if any. */
  readonly path?: string;

  /**
   * Creates a fault.
   *
   * @param code Kind of the fault.
   * @param message "Cannot <act> <what>: <state found>".
   * @param options The path, and the underlying error as `cause`.
   */
  constructor(code: CacheErrorCode, message: string, options: CacheErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.path = options.path;
  }
}

/** What `onWarning` receives: the fault that strict mode would have thrown. */
export type CacheWarning = CacheError;

/**
 * The system's code of an error, the same on every runtime.
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

/** Whether there is nothing: no such file, or a file in a directory's place. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(systemCode(error));
}

/** Whether there is something that the cache never creates: a link (EMLINK on FreeBSD), a directory, or no file. */
export function isForeign(error: unknown): boolean {
  return ["ELOOP", "EMLINK", "ENXIO", "EISDIR"].includes(systemCode(error));
}

/** Wraps the runtime's error as a fault of the file system. A fault of the cache is returned as it is. */
export function ioFault(act: string, path: string, cause: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  return new CacheError("IO", `Cannot ${act} ${path}: ${systemCode(cause)}`, { path, cause });
}

/** Whether a fault says that the directory is gone: writes in the background are dropped then. */
export function isGone({ code, cause }: CacheError): boolean {
  return code === "IO" && systemCode(cause) === "ENOENT";
}
