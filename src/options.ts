// Checks the options that callers pass, and fills in the defaults.

import { type Code, copyOf, describe, isBytes, isUint8Array, toHex, viewOf } from "./bytes.ts";
import { DIGEST_BYTES } from "./disk/key.ts";
import type { Engine } from "./engine/engine.ts";
import type { CacheWarning } from "./errors.ts";
import type { MemoryLimits } from "./memory/memory_tier.ts";
import { defaultDirectory } from "./platform/environment.ts";
import type { Bytes } from "./platform/platform.ts";
import type { RemoteTier } from "./remote/tier.ts";

/** Options of {@linkcode ModuleCache}. */
export interface ModuleCacheOptions<M = WebAssembly.Module> {
  /**
   * Compiles code, and decides what an entry holds.
   *
   * @default {hostEngine()}
   */
  engine?: Engine<M>;
  /**
   * Directory of the entries: a path, a `file:` URL, or `"default"` for {@linkcode defaultDirectory}. A folder of that
   * name is `"./default"`. A lookup creates it when it is needed; writes in the background
   * do not, so that a directory you remove stays away. Whoever can write it can run code as you.
   *
   * @default {undefined} memory only
   */
  directory?: string | URL;
  /**
   * Most modules that memory keeps; 0 keeps none. The least recently used are evicted first.
   *
   * @default {1024}
   */
  maxEntries?: number;
  /**
   * Most bytes of code that memory keeps: a copy of each module's code, to recognize it. The compiled modules take
   * memory of their own, which this does not count.
   *
   * @default {268435456} 256 MiB
   */
  maxMemoryBytes?: number;
  /**
   * Most bytes of code that `load` and the streaming calls take, after decoding: a small response may decompress to any
   * length. Longer code is a `RangeError`, and reading stops there.
   *
   * @default {268435456} 256 MiB
   */
  maxCodeBytes?: number;
  /**
   * Limit of the directory: bytes of all entries, of all engines together. A prune removes the least recently used,
   * down to four fifths of it. Between two prunes each cache adds at most a twentieth, or one larger entry after making
   * room for it. So one cache, or up to four without such entries, never exceed the limit; more may, until the next
   * prune. An entry larger than the limit is neither stored nor read.
   *
   * @default {1073741824} 1 GiB
   */
  maxDiskBytes?: number;
  /**
   * How long an entry may go unused, in ms. Older entries are removed by the pruning that a write starts if the last
   * prune is more than an hour ago. The time counts from the later of the file's mtime and ctime: an entry that was
   * just restored stays, even if an image or an archive set its mtime to 1970. `chmod -R` and `chown -R` renew the
   * ctime, and so restart the time.
   *
   * @default {2592000000} 30 days
   */
  maxDiskAgeMs?: number;
  /**
   * How long a lookup waits while another process compiles the same code, in ms. Then it compiles without the lock.
   *
   * @default {10000}
   */
  lockTimeoutMs?: number;
  /**
   * Never writes to the directory nor the remote, and takes no locks: for a directory that was filled beforehand, in an image for
   * example.
   *
   * @default {false}
   */
  readOnly?: boolean;
  /**
   * Signs every entry with HMAC-SHA-256; entries that are not signed with it are ignored. For a directory that others
   * can write: keep the secret where they cannot read it. A `CryptoKey` must be for HMAC with SHA-256 and allow `sign`;
   * with one, synchronous lookups use memory only.
   *
   * @default {undefined} entries are not signed
   */
  secret?: CryptoKey | Uint8Array;
  /**
   * A store that machines share, asked for what the directory does not have: see {@linkcode RemoteTier}. Synchronous
   * lookups do not ask it. What it gives is checked like any entry, and written to the directory. An engine that stores
   * the code itself has nothing to share, so with it the remote is never called. Whoever can write the store can give
   * you other modules than those you look up, unless there is a `secret`, which engines for machine code require.
   *
   * @default {undefined} no remote
   */
  remote?: RemoteTier;
  /**
   * How long a call to the remote may take, in ms. Then it is aborted, and counts as failed. After three failures in a
   * row the remote is left alone for 30 s.
   *
   * @default {2000}
   */
  remoteTimeoutMs?: number;
  /**
   * Longest entry that is put to the remote, or taken from it, bytes.
   *
   * @default {67108864} 64 MiB
   */
  maxRemoteEntryBytes?: number;
  /**
   * Does not read an entry again that it, or another cache of the directory, has checked in full, as long as inode, size
   * and time of the last change of its file are the same; for engines that map their artifacts. What changes a file
   * without the system's noticing, as a failing disk does, is then not noticed either. Has no effect with `secret`.
   *
   * @default {false}
   */
  trustUnchanged?: boolean;
  /**
   * Throws a {@linkcode CacheError} with the code `"MISS"` instead of compiling, which says why there was no hit: for a
   * program whose modules have been warmed, in an image for example. With engines that store the code itself, a hit
   * compiles all the same. Engines make no entries for some modules, `v8Engine` for those under 4 KB: they always miss.
   *
   * @default {false}
   */
  requireHit?: boolean;
  /**
   * Throws a {@linkcode CacheError} for faults that are otherwise a miss and a warning.
   *
   * @default {false}
   */
  strict?: boolean;
  /**
   * Receives each kind of fault once, as the {@linkcode CacheError} that `strict` would throw. If it throws or rejects,
   * that goes to the console.
   *
   * @default {(warning) => console.warn(`wasm-module-cache: ${warning.message}`)}
   */
  onWarning?: (warning: CacheWarning) => void;
}

/**
 * Bounds of the memory tier, from the options.
 *
 * @throws {TypeError | RangeError} When one is not what it should be.
 */
export function memoryLimits(
  options: Pick<ModuleCacheOptions<unknown>, "maxEntries" | "maxMemoryBytes">,
): MemoryLimits {
  return {
    maxEntries: amount("maxEntries", options.maxEntries, 1024),
    maxBytes: amount("maxMemoryBytes", options.maxMemoryBytes, 256 * 1024 * 1024),
  };
}

/**
 * Checks the option `secret`.
 *
 * @returns A private copy of the bytes, or the key.
 * @throws {TypeError | RangeError} When it is neither, or empty.
 */
export function secretOf(secret: unknown): Bytes | CryptoKey | undefined {
  if (secret === undefined) return undefined;
  if (isUint8Array(secret)) {
    if (secret.length > 0) return copyOf(secret);
    throw new RangeError("Cannot use secret: it must not be empty");
  }
  const { algorithm, usages } = Object(secret) as Partial<CryptoKey>;
  const { name, hash } = Object(algorithm) as Partial<HmacKeyAlgorithm>;
  if (name === "HMAC" && hash?.name === "SHA-256" && usages?.includes("sign")) return secret as CryptoKey;
  const wanted = "a Uint8Array, or a CryptoKey for HMAC with SHA-256 that allows to sign";
  throw new TypeError(`Cannot use secret: it must be ${wanted}, not ${describe(secret)}`);
}

/**
 * Checks the option `remote`.
 *
 * @param isUnsigned Artifacts are machine code, and not signed.
 * @throws {TypeError} When it is no remote, or must not be used.
 */
export function checkRemote(remote: unknown, isUnsigned: boolean): void {
  const given = Object(remote) as Record<string, unknown>;
  for (const member of ["get", "put", "has", "delete"]) {
    const isOptional = (member === "has" || member === "delete") && given[member] === undefined;
    if (!isOptional && typeof given[member] !== "function") {
      throw new TypeError(`Cannot use remote: its ${member} must be a function, not ${describe(given[member])}`);
    }
  }
  if (isUnsigned) {
    const why = "whoever can write the store could otherwise run machine code as you";
    throw new TypeError(`Cannot use remote without secret: the engine is native, and ${why}`);
  }
}

/**
 * Checks the name of an entry.
 *
 * @throws {TypeError} When it is none.
 */
export function checkKey(key: string): string {
  if (/^[0-9a-f]{64}$/.test(key)) return key;
  throw new TypeError("Cannot use key: it must be the 64 hexadecimal digits of a Resolved");
}

/**
 * Normalizes a digest.
 *
 * @param digest 64 hexadecimal digits, or the 32 bytes.
 * @returns The digits in lower case; `undefined` for `undefined`.
 * @throws {TypeError} When it is not a SHA-256.
 */
export function digestOf(digest: unknown): string | undefined {
  if (digest === undefined) return undefined;
  const hex = typeof digest === "string" ? digest.toLowerCase() : isBytes(digest) ? toHex(viewOf(digest)) : "";
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw new TypeError(`Cannot use digest: it must be a SHA-256, ${DIGEST_BYTES} bytes or 64 hexadecimal digits`);
}

/** Whether a value is a URL object, of whatever realm. */
function isUrl(value: unknown): value is URL {
  return Object.prototype.toString.call(value) === "[object URL]";
}

/**
 * Checks a source of `warm`.
 *
 * @returns A URL, or a private copy of the bytes.
 * @throws {TypeError} When it is neither.
 */
export function sourceOf(source: unknown): URL | Bytes {
  if (typeof source !== "string" && !isUrl(source)) return copyOf(viewOf(source as Code));
  // The runtimes' own errors repeat the URL, which may contain a password.
  if (!URL.canParse(source)) throw new TypeError("Cannot warm what is no absolute URL");
  return new URL(source);
}

/**
 * Checks the option `directory`.
 *
 * @returns The path, or the URL as one of this realm; `undefined` if none was given, or there is no default one.
 * @throws {TypeError} When it is neither a path nor a `file:` URL.
 */
export function directoryOf(directory: unknown): string | URL | undefined {
  if (directory === undefined || directory === "default") return directory && defaultDirectory();
  if (isUrl(directory)) {
    const url = new URL(String(directory));
    if (url.protocol === "file:") return url;
    throw new TypeError(`Cannot use directory: its URL must be a file: URL, not one of ${url.protocol}`);
  }
  if (typeof directory === "string" && directory !== "" && !directory.includes("\0")) return directory;
  throw new TypeError(`Cannot use directory: it must be a path or a file: URL, not ${describe(directory)}`);
}

/**
 * Checks the option `concurrency`.
 *
 * @throws {TypeError | RangeError} When it is not a number of at least 1.
 */
export function checkConcurrency(concurrency: unknown): void {
  if (amount("concurrency", concurrency, 1) > 0) return;
  throw new RangeError("Cannot use concurrency: it must be 1 or more");
}

/**
 * Checks a boolean option.
 *
 * @throws {TypeError} When it is not a boolean.
 */
export function checkFlag(name: string, value: unknown): void {
  if (typeof value !== "boolean") {
    throw new TypeError(`Cannot use ${name}: it must be a boolean, not ${describe(value)}`);
  }
}

/**
 * Checks a numeric option.
 *
 * @returns The number, or `standard` for `undefined`.
 * @throws {TypeError | RangeError} When it is not a whole number from 0 on, or `Infinity`.
 */
export function amount(name: string, value: unknown, standard: number): number {
  if (value === undefined) return standard;
  if (typeof value !== "number") throw new TypeError(`Cannot use ${name}: it must be a number, not ${describe(value)}`);
  if (value >= 0 && (Number.isSafeInteger(value) || value === Infinity)) return value;
  throw new RangeError(`Cannot use ${name}: it must be a whole number from 0 on, or Infinity, not ${value}`);
}
