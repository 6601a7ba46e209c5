// The parts of a cache: what a lookup works with and what it gives, and how the parts are put together from the options.

import QuickLRU from "quick-lru";
import { describe, textOf } from "./bytes.ts";
import { Directory } from "./disk/directory.ts";
import { DiskTier } from "./disk/disk_tier.ts";
import { Housekeeping } from "./disk/limits.ts";
import { Locks } from "./disk/locks.ts";
import { WriteBehind } from "./disk/write_behind.ts";
import { isPromise } from "./effect.ts";
import { checkEngine } from "./engine/calls.ts";
import type { Engine, EntryPlace } from "./engine/engine.ts";
import { hostEngine } from "./engine/host.ts";
import { type CacheError, type CacheWarning, systemCode } from "./errors.ts";
import { Flights } from "./memory/flights.ts";
import { MemoryTier } from "./memory/memory_tier.ts";
import { amount, checkFlag, directoryOf, memoryLimits, type ModuleCacheOptions, secretOf } from "./options.ts";
import { detectPlatform } from "./platform/detect.ts";
import type { Bytes, Platform } from "./platform/platform.ts";

/**
 * Where a module came from.
 *
 * - `"memory"`: a live module of this process, or one that another call was just making.
 * - `"disk"`: an entry, verified; see {@linkcode Resolved.reason} for engines whose artifact is the code.
 * - `"recompiled"`: an entry stood there but could not be used, and is replaced.
 * - `"compiled"`: there was no entry that could be read.
 */
export type Provenance = "memory" | "disk" | "recompiled" | "compiled";

/** A module, and how the cache came by it. */
export interface Resolved<M = WebAssembly.Module> {
  /** The module: the same object for every lookup that memory answers. */
  readonly module: M;
  /** Where it came from. */
  readonly from: Provenance;
  /** Name of the entry, 64 hexadecimal digits: SHA-256 over code, engine id and format version. */
  readonly key: string;
  /** Why it came from there and not from a faster tier; for people, its wording may change. */
  readonly reason?: string;
  /** Time that the lookup took, ms. */
  readonly elapsedMs: number;
}

/** Counters of a cache since its construction. */
export interface Counters {
  /** Lookups answered by memory. */
  memoryHits: number;
  /** Lookups answered by an entry. */
  diskHits: number;
  /** Lookups that compiled because an entry could not be used. */
  recompiled: number;
  /** Lookups that compiled because there was no entry. */
  compiled: number;
  /** Lookups that failed: the engine refused the code, or strict mode threw. */
  failed: number;
  /** Entries written. */
  writes: number;
  /** Entries that could not be written. */
  writeFailures: number;
  /** Lookups that took the lock of a key. */
  locks: number;
  /** Lookups that gave up waiting for the lock of a key. */
  lockTimeouts: number;
}

/** All that lookups work with. */
export interface Context<M> {
  /** What compiles. */
  readonly engine: Engine<M>;
  /** What the runtime offers. */
  readonly platform: Platform;
  /** Live modules. */
  readonly memory: MemoryTier<M>;
  /** Lookups under way. */
  readonly flights: Flights<M>;
  /** Counts of what lookups did. */
  readonly counters: Counters;
  /** The disk side, or why there is none. */
  readonly storage: Storage | string;
  /** Longest code that is taken from a URL or a response, bytes. */
  readonly maxCodeBytes: number;
  /** URLs of responses that came through, and whether their code is probably in memory. */
  readonly seenUrls: { get(url: string): boolean | undefined; set(url: string, isSeen: boolean): unknown };
  /** What the engine's id comes to, once it was needed. */
  readonly identity: { digest?: Bytes };
  /** Warns of a fault, or throws it in strict mode. */
  report(fault: CacheError): void;
}

/** The disk side of a cache. */
export interface Storage {
  /** What may be done. */
  readonly directory: Directory;
  /** The locks. */
  readonly locks: Locks;
  /** The entries. */
  readonly disk: DiskTier;
  /** The limits. */
  readonly housekeeping: Housekeeping;
  /** Writes that nobody waits for. */
  readonly behind: WriteBehind;
  /** What an engine passes on that writes entries in another process. */
  readonly options: EntryPlace["options"];
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
  const memory = memoryLimits(options);
  const maxMemoryBytes = memory.maxEntries === 0 ? 0 : memory.maxBytes;
  const shared = { secret, maxDiskBytes: limits.maxBytes, maxDiskAgeMs: limits.maxAgeMs, maxMemoryBytes };
  return { directory, locks, disk, housekeeping, behind: new WriteBehind(), options: shared };
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

function kindOf({ code, cause, message, path }: CacheError): string {
  if (code === "CORRUPT" || code === "UNTRUSTED") return path ?? "";
  if (code === "IO" && cause !== undefined) return systemCode(cause);
  return cause !== undefined ? textOf(cause) : (code === "IO" ? message : "");
}

/** How many kinds of faults are remembered, and how many characters of each: engines may say something new each time. */
const [MAX_KINDS, MAX_KIND_LENGTH] = [1000, 400];

/** A warning must not break the lookup that it is about, nor end the program. */
function complain(error: unknown): void {
  try {
    console.error(`wasm-module-cache: Cannot give warning: ${textOf(error)}`);
  } catch {
    // Test setups have the console throw.
  }
}
