// The parts of a cache, and how they are put together from the options; the type of a lookup's result.

import QuickLRU from "quick-lru";
import { describe } from "./bytes.ts";
import { type Counters, zeroCounters } from "./counters.ts";
import { Checked } from "./disk/checked.ts";
import { Directory } from "./disk/directory.ts";
import { DiskTier } from "./disk/disk_tier.ts";
import { Limits } from "./disk/limits.ts";
import { Locks } from "./disk/locks.ts";
import type { Sealing } from "./disk/seal.ts";
import { WriteBehind } from "./disk/write_behind.ts";
import type { Operation } from "./effect.ts";
import { checkEngine, keepsCode } from "./engine/calls.ts";
import type { Engine, EntryPlace } from "./engine/engine.ts";
import { hostEngine } from "./engine/host.ts";
import type { CacheError, CacheWarning } from "./errors.ts";
import { Teller } from "./events.ts";
import { Flights } from "./memory/flights.ts";
import { MemoryTier } from "./memory/memory_tier.ts";
import {
  amount,
  checkFlag,
  checkRemote,
  directoryOf,
  memoryLimits,
  type ModuleCacheOptions,
  secretOf,
} from "./options.ts";
import { detectPlatform } from "./platform/detect.ts";
import type { Bytes, Platform } from "./platform/platform.ts";
import { Remote, type RemoteParts } from "./remote/remote.ts";
import { once } from "./warnings.ts";

/**
 * Where a module came from.
 *
 * - `"memory"`: a live module of this process, or one that another call was compiling.
 * - `"disk"`: a checked entry. For engines that store the code itself, the module was compiled from it.
 * - `"remote"`: a checked entry that another machine made; the directory has a copy of it now.
 * - `"recompiled"`: there was an entry, but it was damaged or rejected by the engine; it is replaced.
 * - `"compiled"`: there was no entry, or it could not be opened.
 */
export type Provenance = "memory" | "disk" | "remote" | "recompiled" | "compiled";

/** A module, and where it came from. */
export interface Resolved<M = WebAssembly.Module> {
  /** The module. Lookups answered by memory return the same object. */
  readonly module: M;
  /** Where it came from. */
  readonly from: Provenance;
  /** Name of the entry, 64 hexadecimal digits: SHA-256 over code, engine id and format version. */
  readonly key: string;
  /** Why no faster source was used. For people: its wording may change. */
  readonly reason?: string;
  /** Duration of the lookup, ms. */
  readonly elapsedMs: number;
}

/** Everything that lookups work with. */
export interface Context<M> {
  /** Compiles code. */
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
  /** The remote side; absent if none was given, or the engine has nothing to share. */
  readonly remote?: Remote;
  /** Entries that were found on the disk are put to the remote, if it has none: while warming. */
  readonly offersHits?: boolean;
  /** How entries are sealed. */
  readonly sealing: Sealing;
  /** Throws instead of compiling. */
  readonly requireHit: boolean;
  /** Longest code that is taken from a URL or a response, bytes. */
  readonly maxCodeBytes: number;
  /** URLs of responses that were compiled, and whether their code is probably in memory. */
  readonly seenUrls: { get(url: string): boolean | undefined; set(url: string, isSeen: boolean): unknown };
  /** Digest of the engine's id, computed on first use. */
  readonly identity: { digest?: Bytes };
  /** Tells those who listen. */
  readonly teller: Teller;
  /** Reports a fault: a warning, or in strict mode a throw. */
  report(fault: CacheError): void;
}

/** The disk side of a cache. */
export interface Storage {
  /** What may be read and written, and why not. */
  readonly directory: Directory;
  /** The locks. */
  readonly locks: Locks;
  /** The entries. */
  readonly disk: DiskTier;
  /** The limits. */
  readonly limits: Limits;
  /** Writes in the background. */
  readonly behind: WriteBehind;
  /** Options that an engine passes on when another process writes entries. */
  readonly options: EntryPlace["options"];
}

/**
 * Puts a cache together. With `mustExist` it never creates the directory: for work that outlives its caller.
 *
 * @throws {TypeError | RangeError} When an option is invalid; never for what the environment lacks.
 */
export function openContext<M>(
  options: ModuleCacheOptions<M>,
  platform: Platform = detectPlatform(),
  { mustExist = false }: { mustExist?: boolean } = {},
): Context<M> {
  const {
    requireHit = false,
    strict = false,
    onWarning = (warning) => console.warn(`wasm-module-cache: ${warning.message}`),
  } = options;
  const engine = options.engine === undefined ? hostEngine() as Engine<unknown> as Engine<M> : options.engine;
  checkEngine(engine);
  checkFlag("requireHit", requireHit);
  checkFlag("strict", strict);
  if (typeof onWarning !== "function") {
    throw new TypeError(`Cannot use onWarning: not a function but ${describe(onWarning)}`);
  }
  const teller = new Teller(platform.channel);
  const warn = (warning: CacheWarning) => {
    if (teller.isHeard("warning")) teller.tell("warning", warning);
    return onWarning(warning);
  };
  const report = strict ? raise : once(warn);
  const counters = zeroCounters();
  const sealing = { platform, secret: secretOf(options.secret), isNative: engine.native ?? false };
  return {
    engine,
    platform,
    teller,
    memory: new MemoryTier(memoryLimits(options), platform.equal, teller.evicted),
    flights: new Flights(platform.equal),
    counters,
    identity: {},
    requireHit,
    maxCodeBytes: amount("maxCodeBytes", options.maxCodeBytes, 256 * 1024 * 1024),
    seenUrls: new QuickLRU({ maxSize: 1024 }),
    sealing,
    storage: openStorage(options, sealing, mustExist),
    remote: openRemote(options, { clock: platform.clock, counters, report }),
    report,
  };
}

/** An engine that stores the code has nothing to share: whoever looks code up has it. */
function openRemote<M>(
  options: ModuleCacheOptions<M>,
  parts: Pick<RemoteParts, "clock" | "counters" | "report">,
): Remote | undefined {
  const { engine, readOnly: isReadOnly = false, remote: tier, secret } = options;
  const timeoutMs = amount("remoteTimeoutMs", options.remoteTimeoutMs, 2000);
  const maxBytes = amount("maxRemoteEntryBytes", options.maxRemoteEntryBytes, 64 * 1024 * 1024);
  if (tier === undefined) return undefined;
  checkRemote(tier, engine?.native === true && secret === undefined);
  if (!engine || keepsCode(engine)) return undefined;
  return new Remote({ ...parts, tier, timeoutMs, maxBytes, isReadOnly });
}

function openStorage<M>(
  options: ModuleCacheOptions<M>,
  sealing: Sealing,
  mustExist: boolean,
): Context<unknown>["storage"] {
  const { platform, secret } = sealing;
  const { readOnly = false, trustUnchanged = false } = options;
  const lockTimeoutMs = amount("lockTimeoutMs", options.lockTimeoutMs, 10_000);
  const bounds = {
    maxBytes: amount("maxDiskBytes", options.maxDiskBytes, 1024 * 1024 * 1024),
    maxAgeMs: amount("maxDiskAgeMs", options.maxDiskAgeMs, 30 * 24 * 60 * 60 * 1000),
  };
  checkFlag("readOnly", readOnly);
  checkFlag("trustUnchanged", trustUnchanged);
  const given = directoryOf(options.directory);
  if (given === undefined) return options.directory === undefined ? "no directory was given" : NO_DEFAULT;
  const { files } = platform;
  if (!files) return "this runtime has no files";
  const path = files.resolve(given);
  const directory = new Directory(files, { path, readOnly, mustExist, isNative: sealing.isNative });
  const locks = new Locks(platform, files, directory, lockTimeoutMs);
  const limits = new Limits({ platform, files, directory, locks, ...bounds });
  const behind = new WriteBehind();
  const checked = trustUnchanged && !secret ? new Checked(platform, files, directory) : undefined;
  const later = (write: () => Operation<void>) => behind.schedule("checked", 0, write);
  const disk = new DiskTier({ ...sealing, files, directory, limits, checked, later });
  const memory = memoryLimits(options);
  const maxMemoryBytes = memory.maxEntries === 0 ? 0 : memory.maxBytes;
  const shared = { secret, maxDiskBytes: bounds.maxBytes, maxDiskAgeMs: bounds.maxAgeMs, maxMemoryBytes };
  return { directory, locks, disk, limits, behind, options: shared };
}

/** Waits for something of all writes in the background. */
export async function behind(
  { remote, storage }: Pick<Context<never>, "remote" | "storage">,
  wait: (writes: WriteBehind) => Promise<void>,
): Promise<void> {
  const all = [typeof storage === "string" ? [] : storage.behind, remote?.behind ?? []].flat();
  const ends = await Promise.allSettled(all.map(wait));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
}

const NO_DEFAULT = "no default directory can be determined: neither WASM_CACHE_DIR nor a home folder is known";

function raise(fault: CacheError): never {
  throw fault;
}
