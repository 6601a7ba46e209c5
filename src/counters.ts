// What a cache counts.

import type { RemoteCounters } from "./remote/remote.ts";

/**
 * Why a lookup had to compile:
 *
 * - `"absent"`: there was no entry.
 * - `"damaged"`: the entry was not what was written.
 * - `"rejected"`: the engine did not take it.
 * - `"unreadable"`: the system or a permission forbids to read it.
 * - `"untrusted"`: other users could have changed it.
 * - `"busy"`: a synchronous lookup would have had to wait.
 * - `"off"`: there is no directory, or the runtime has no files.
 */
export type MissReason = "absent" | "damaged" | "rejected" | "unreadable" | "untrusted" | "busy" | "off";

/** Counters of a cache since its construction. */
export interface Counters extends RemoteCounters {
  /** Lookups answered by memory. */
  memoryHits: number;
  /** Lookups answered by an entry. */
  diskHits: number;
  /** Lookups that compiled because an entry could not be used. */
  recompiled: number;
  /** Lookups that compiled because there was no entry. */
  compiled: number;
  /** Lookups that had to compile, or with `requireHit` threw, by reason. */
  misses: Record<MissReason, number>;
  /** Lookups that failed: the engine rejected the code, or strict mode threw. */
  failed: number;
  /** Entries written. */
  writes: number;
  /** Entries that could not be written. */
  writeFailures: number;
  /** Lookups that took the lock of a key. */
  locks: number;
  /** Lookups that gave up waiting for the lock of a key. */
  lockTimeouts: number;
  /** Lookups that waited for the lock of a key. */
  lockWaits: number;
  /** How long they waited, ms in all. */
  lockWaitMs: number;
  /** Bytes of entries read. */
  bytesRead: number;
  /** Bytes of entries written. */
  bytesWritten: number;
  /**
   * Time saved, ms: for each hit what compiling took when the module or its entry was made, less what the hit took.
   * Entries say what their compile took. Not counted are hits that compile all the same, with engines that store the
   * code itself, and entries that were not read again with `trustUnchanged`.
   */
  savedMs: number;
}

/** Counters and sizes of a cache. */
export interface CacheStats extends Readonly<Counters> {
  /** Modules in memory now. */
  readonly memoryEntries: number;
  /** Bytes of code in memory now. */
  readonly memoryBytes: number;
  /** Modules evicted from memory to make room for others. */
  readonly evictions: number;
}

/** Adds counts to others. */
export function addCounters(to: Counters, from: Counters): void {
  const { misses, ...counts } = from;
  for (const [name, count] of Object.entries(counts)) to[name as keyof typeof counts] += count;
  for (const [reason, count] of Object.entries(misses)) to.misses[reason as MissReason] += count;
}

/** Counters of nothing. */
export function zeroCounters(): Counters {
  return {
    memoryHits: 0,
    diskHits: 0,
    recompiled: 0,
    compiled: 0,
    misses: { absent: 0, damaged: 0, rejected: 0, unreadable: 0, untrusted: 0, busy: 0, off: 0 },
    failed: 0,
    writes: 0,
    writeFailures: 0,
    locks: 0,
    lockTimeouts: 0,
    lockWaits: 0,
    lockWaitMs: 0,
    bytesRead: 0,
    bytesWritten: 0,
    savedMs: 0,
    remoteHits: 0,
    remoteMisses: 0,
    remoteFailures: 0,
    remoteBytesRead: 0,
    remoteBytesWritten: 0,
    remoteMs: 0,
  };
}
