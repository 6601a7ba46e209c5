// Directory, secret and warnings of a registered process. Knows no calls.

import type { Engine } from "../engine/engine.ts";
import { CacheError, type CacheWarning, systemCode } from "../errors.ts";
import type { ModuleCacheOptions } from "../options.ts";
import { detectPlatform } from "../platform/detect.ts";
import { say, type Settings } from "./settings.ts";

/**
 * Options of the cache, from the settings. Without a readable secret there is no disk, because unsigned entries would
 * be accepted; a strict cache then compiles nothing.
 *
 * @param paysOnDisk Entries save compiles: they are stored even if no directory was named.
 */
export function optionsOf(settings: Settings, engine: Engine, paysOnDisk: boolean): ModuleCacheOptions {
  const { maxDiskBytes, readOnly, secretFile, strict } = settings;
  const directory = settings.directory ?? (paysOnDisk ? settings.usualDirectory : undefined);
  // The runtime accepts code of any length.
  const limits = { maxCodeBytes: Infinity, maxDiskBytes };
  const options = { engine, ...limits, readOnly, strict, onWarning: teller(settings) };
  if (directory === undefined || secretFile === undefined) return { ...options, directory };
  try {
    return { ...options, directory, secret: secretIn(secretFile) };
  } catch (error) {
    if (strict) return { ...options, engine: failing(engine, error) };
    say(`${(error as CacheError).message}; nothing is kept on disk`);
    return options;
  }
}

function failing({ id, serialize, deserialize }: Engine, error: unknown): Engine {
  const compile = () => {
    throw error;
  };
  return { id, compile, serialize, deserialize };
}

/** More than enough: a key of HMAC-SHA-256 needs 32. */
const MAX_SECRET_BYTES = 64 * 1024;

/** Every byte of the file, also a newline at the end: the same as `secret: readFileSync(path)`. */
function secretIn(path: string): Uint8Array {
  const { files } = detectPlatform();
  if (!files?.mayAccess(path, "read")) throw unusable(path, "the program has no permission to");
  let bytes;
  try {
    const { isFile, size } = files.identify(path).sync();
    // A pipe might never begin or end.
    if (!isFile || size > MAX_SECRET_BYTES) throw unusable(path, `it is no file of ${MAX_SECRET_BYTES} bytes at most`);
    bytes = files.readWhole(path).sync();
  } catch (error) {
    throw unusable(path, systemCode(error), error);
  }
  if (bytes.length === 0) throw unusable(path, "it is empty");
  return bytes;
}

function unusable(path: string, reason: string, cause?: unknown): CacheError {
  if (cause instanceof CacheError) return cause;
  return new CacheError("IO", `Cannot read secret ${path}: ${reason}`, { path, cause });
}

/** Prints every fault if lookups are traced; otherwise only, and once, why a directory is refused. */
function teller({ traces }: Settings): (fault: CacheWarning) => void {
  let isTold = false;
  return ({ code, message }) => {
    if (!traces && (code !== "UNTRUSTED" || isTold)) return;
    isTold ||= code === "UNTRUSTED";
    say(`${code} ${message}`);
  };
}
