// What callers give: checks it, fills in the defaults, and puts the parts of a cache together.

import QuickLRU from "quick-lru";
import { copyOf, describe, isBytes, isUint8Array, textOf, viewOf } from "./bytes.ts";
import type { Context, Counters } from "./context.ts";
import { Directory } from "./disk/directory.ts";
import { DiskTier } from "./disk/disk_tier.ts";
import { checkEngine } from "./engine/calls.ts";
import type { Engine } from "./engine/engine.ts";
import { hostEngine } from "./engine/host.ts";
import { isPromise } from "./effect.ts";
import { type CacheError, type CacheWarning, systemCode } from "./errors.ts";
import { Flights } from "./memory/flights.ts";
import { Housekeeping } from "./disk/limits.ts";
import { DIGEST_BYTES, toHex } from "./disk/key.ts";
import { Locks } from "./disk/locks.ts";
import { type MemoryLimits, MemoryTier } from "./memory/memory_tier.ts";
import { detectPlatform } from "./platform/detect.ts";
import type { Bytes, Platform } from "./platform/platform.ts";
import { WriteBehind } from "./disk/write_behind.ts";

/** Options of {@linkcode ModuleCache}. */
export interface ModuleCacheOptions<M = WebAssembly.Module> {
  /**
   * What compiles, and what an entry holds.
   *
   * @default {hostEngine()}
   */
  engine?: Engine<M>;
  /**
   * Where entries are kept: a path, or a `file:` URL. A lookup that needs it makes it; what is written after a lookup does
   * not, so that a directory you remove stays away. Who can write it can run code as you.
   *
   * @default {undefined} memory only
   */
  directory?: string | URL;
  /**
   * How many modules memory keeps.
   *
   * @default {1024}
   */
  maxEntries?: number;
  /**
   * How many bytes of code memory keeps; a copy of each module's code is kept to recognise it. Compiled modules take
   * memory of their own besides.
   *
   * @default {268435456} 256 MiB
   */
  maxMemoryBytes?: number;
  /**
   * How many bytes of code `load` and the streaming calls take, after decoding: a small response may unpack to any
   * length. Longer code is a `RangeError`, and the rest of it is let go.
   *
   * @default {268435456} 256 MiB
   */
  maxCodeBytes?: number;
  /**
   * How many bytes entries take in the directory, those of all engines and versions together. Where they are more, the
   * least recently used are removed, down to four fifths. A larger entry is not stored, and one that is there not read.
   *
   * @default {1073741824} 1 GiB
   */
  maxDiskBytes?: number;
  /**
   * How long an entry stays in the directory without being used, in ms; looked at once an hour, when one is written.
   * It counts from the later of the file's mtime and ctime: an entry that was just restored stays, even where an image or
   * an archive set its mtime to 1970. `chmod -R` and `chown -R` renew the ctime, and so the time that is left, as well.
   *
   * @default {2592000000} 30 days
   */
  maxDiskAgeMs?: number;
  /**
   * How long a lookup waits, in ms, while another process compiles the same code; then it compiles too.
   *
   * @default {10000}
   */
  lockTimeoutMs?: number;
  /**
   * Never writes to the directory, and takes no locks.
   *
   * @default {false}
   */
  readOnly?: boolean;
  /**
   * Signs every entry with HMAC-SHA-256, and takes none that is not: for a directory that others can write. Keep it where
   * they cannot read it. A `CryptoKey` must be for HMAC with SHA-256 and allow to sign; with one, synchronous lookups use
   * memory only.
   *
   * @default {undefined} entries are not signed
   */
  secret?: CryptoKey | Uint8Array;
  /**
   * Throws a {@linkcode CacheError} for faults of the cache that are otherwise misses with a warning.
   *
   * @default {false}
   */
  strict?: boolean;
  /**
   * Gets each kind of fault once. What it throws or rejects with goes to the console.
   *
   * @default {(warning) => console.warn(`wasm-module-cache: ${warning.message}`)}
   */
  onWarning?: (warning: CacheWarning) => void;
}

/**
 * Puts a cache together. With `mustExist` it works when its caller is gone, and never makes the directory.
 *
 * @throws {TypeError | RangeError} When an option is not what it should be; never for what the environment lacks.
 */
export function openContext<M>(
  options: ModuleCacheOptions<M>,
  platform: Platform = detectPlatform(),
  { mustExist = false }: { mustExist?: boolean } = {},
): Context<M> {
  const { strict = false, onWarning = (warning) => console.warn(`wasm-module-cache: ${warning.message}`) } = options;
  const engine = options.engine === undefined ? hostEngine() as Engine<unknown> as Engine<M> : options.engine;
  checkEngine(engine);
  checkFlag("strict", strict);
  if (typeof onWarning !== "function") {
    throw new TypeError(`Cannot use onWarning: not a function but ${describe(onWarning)}`);
  }
  return {
    engine,
    platform,
    memory: new MemoryTier(memoryLimits(options), platform.equal),
    flights: new Flights(platform.equal),
    counters: zeroCounters(),
    identity: {},
    maxCodeBytes: amount("maxCodeBytes", options.maxCodeBytes, 256 * 1024 * 1024),
    seenUrls: new QuickLRU({ maxSize: 1024 }),
    storage: openStorage(options, platform, mustExist),
    report: strict ? raise : once(onWarning),
  };
}

/**
 * Takes the bounds of the memory tier from the options.
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

function openStorage<M>(
  options: ModuleCacheOptions<M>,
  platform: Platform,
  mustExist: boolean,
): Context<unknown>["storage"] {
  const { readOnly = false } = options;
  const lockTimeoutMs = amount("lockTimeoutMs", options.lockTimeoutMs, 10_000);
  const limits = {
    maxBytes: amount("maxDiskBytes", options.maxDiskBytes, 1024 * 1024 * 1024),
    maxAgeMs: amount("maxDiskAgeMs", options.maxDiskAgeMs, 30 * 24 * 60 * 60 * 1000),
  };
  const secret = secretOf(options.secret);
  checkFlag("readOnly", readOnly);
  if (options.directory === undefined) return "no directory was given";
  const given = directoryOf(options.directory);
  const { files } = platform;
  if (!files) return "this runtime has no files";
  const path = files.resolve(given);
  const isNative = options.engine?.native ?? false;
  const directory = new Directory(files, { path, readOnly, mustExist, isNative });
  const locks = new Locks(platform, files, directory, lockTimeoutMs);
  const housekeeping = new Housekeeping({ platform, files, directory, locks, limits });
  const { maxBytes } = limits;
  const disk = new DiskTier({ platform, files, directory, housekeeping, secret, isNative, maxBytes });
  const shared = { secret, maxDiskBytes: limits.maxBytes, maxDiskAgeMs: limits.maxAgeMs };
  return { directory, locks, disk, housekeeping, behind: new WriteBehind(), options: shared };
}

/** A private copy of the bytes, or the key; an empty secret would be none. */
function secretOf(secret: unknown): Bytes | CryptoKey | undefined {
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
 * Reads a digest in any of its forms.
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

/**
 * Reads what a caller gave as a directory.
 *
 * @returns The path, or the URL as one of this realm.
 * @throws {TypeError} When it is neither a path nor a `file:` URL.
 */
export function directoryOf(directory: unknown): string | URL {
  if (Object.prototype.toString.call(directory) === "[object URL]") {
    const url = new URL(String(directory));
    if (url.protocol === "file:") return url;
    throw new TypeError(`Cannot use directory: its URL must be a file: URL, not one of ${url.protocol}`);
  }
  if (typeof directory === "string" && directory !== "" && !directory.includes("\0")) return directory;
  throw new TypeError(`Cannot use directory: it must be a path or a file: URL, not ${describe(directory)}`);
}

/**
 * Checks how many shall be worked on at a time.
 *
 * @throws {TypeError | RangeError} When it is no number from 1 on.
 */
export function checkConcurrency(concurrency: unknown): void {
  if (amount("concurrency", concurrency, 1) > 0) return;
  throw new RangeError("Cannot use concurrency: it must be 1 or more");
}

function checkFlag(name: string, value: unknown): void {
  if (typeof value !== "boolean") {
    throw new TypeError(`Cannot use ${name}: it must be a boolean, not ${describe(value)}`);
  }
}

function amount(name: string, value: unknown, standard: number): number {
  if (value === undefined) return standard;
  if (typeof value !== "number") throw new TypeError(`Cannot use ${name}: it must be a number, not ${describe(value)}`);
  if (value >= 0 && (Number.isSafeInteger(value) || value === Infinity)) return value;
  throw new RangeError(`Cannot use ${name}: it must be a whole number from 0 on, or Infinity, not ${value}`);
}

function zeroCounters(): Counters {
  return {
    memoryHits: 0,
    diskHits: 0,
    recompiled: 0,
    compiled: 0,
    failed: 0,
    writes: 0,
    writeFailures: 0,
    locks: 0,
    lockTimeouts: 0,
  };
}

function raise(fault: CacheError): never {
  throw fault;
}

/** Hands each kind of fault on once: a full disk says the same at every write. Each damaged entry is one of its own. */
function once(onWarning: (warning: CacheWarning) => unknown): (fault: CacheError) => void {
  const seen = new QuickLRU<string, true>({ maxSize: MAX_KINDS });
  return (fault) => {
    const kind = `${fault.code} ${kindOf(fault)}`.slice(0, MAX_KIND_LENGTH);
    if (seen.has(kind)) return;
    seen.set(kind, true);
    try {
      const result = onWarning(fault);
      if (isPromise(result)) result.then(undefined, complain);
    } catch (error) {
      complain(error);
    }
  };
}

/** How many kinds of faults are remembered, and how many characters of each: engines may say something new each time. */
const [MAX_KINDS, MAX_KIND_LENGTH] = [1000, 400];

function kindOf({ code, cause, message, path }: CacheError): string {
  if (code === "CORRUPT" || code === "UNTRUSTED") return path ?? "";
  if (code === "IO" && cause !== undefined) return systemCode(cause);
  return cause !== undefined ? textOf(cause) : (code === "IO" ? message : "");
}

/** A warning must not break the lookup that it is about, nor end the program. */
function complain(error: unknown): void {
  try {
    console.error(`wasm-module-cache: Cannot give warning: ${textOf(error)}`);
  } catch {
    // Test setups have the console throw.
  }
}
