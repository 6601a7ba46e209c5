// What a lookup works with and what it gives: the parts of a cache, put together once. Types only.

import type { Directory } from "./disk/directory.ts";
import type { DiskTier } from "./disk/disk_tier.ts";
import type { Engine, EntryPlace } from "./engine/engine.ts";
import type { CacheError } from "./errors.ts";
import type { Flights } from "./memory/flights.ts";
import type { Housekeeping } from "./disk/limits.ts";
import type { Locks } from "./disk/locks.ts";
import type { MemoryTier } from "./memory/memory_tier.ts";
import type { Bytes, Platform } from "./platform/platform.ts";
import type { WriteBehind } from "./disk/write_behind.ts";

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
