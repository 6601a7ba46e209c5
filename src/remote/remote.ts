// Calls to the remote tier, bounded in time and number: whatever it does, it is a miss and a warning. Knows no entries.

import { copyOf, describe, isUint8Array, lengthOf, textOf } from "../bytes.ts";
import { WriteBehind } from "../disk/write_behind.ts";
import { type Effect, limiter } from "../effect.ts";
import { CacheError } from "../errors.ts";
import { clearTimer, setTimer } from "../platform/globals.ts";
import type { Bytes } from "../platform/platform.ts";
import { Breaker } from "./breaker.ts";
import type { RemoteOptions, RemoteTier } from "./tier.ts";

/** How many calls run at once. */
const AT_ONCE = 16;

/** The longest that timers take, ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Counts of what the remote did. */
export interface RemoteCounters {
  /** Lookups answered by the remote. */
  remoteHits: number;
  /** Lookups that asked the remote, which had no entry. */
  remoteMisses: number;
  /** Calls to the remote that failed, and entries it gave that could not be used. */
  remoteFailures: number;
  /** Bytes of entries that came from the remote. */
  remoteBytesRead: number;
  /** Bytes of entries that were put to the remote. */
  remoteBytesWritten: number;
  /** How long lookups waited for the remote, ms in all. */
  remoteMs: number;
}

/** Parts of the remote side. */
export interface RemoteParts {
  /** The store. */
  readonly tier: RemoteTier;
  /** Time limit of a call, ms. */
  readonly timeoutMs: number;
  /** Longest entry that is taken or put, bytes. */
  readonly maxBytes: number;
  /** Nothing is put. */
  readonly isReadOnly: boolean;
  /** A clock that never goes back, ms. */
  readonly clock: () => number;
  /** Where counts go. */
  readonly counters: RemoteCounters;
  /** Reports a fault. */
  report(fault: CacheError): void;
}

/**
 * What the remote answered:
 *
 * - An entry, not checked yet: a copy, for the store may share its memory with others.
 * - `"absent"`: it has none.
 * - `"failed"`: nothing, or it was left alone.
 * - `"unasked"`: synchronous runs do not ask.
 */
export type Answer = Bytes | "absent" | "failed" | "unasked";

type Act = "get" | "put" | "has" | "delete";

/** The remote side of a cache. */
export class Remote {
  /** Entries that wait to be put. */
  readonly behind: WriteBehind = new WriteBehind();
  readonly #parts: RemoteParts;
  readonly #breaker: Breaker;
  readonly #limit = limiter(AT_ONCE);

  /** Calls nothing yet. */
  constructor(parts: RemoteParts) {
    this.#parts = parts;
    this.#breaker = new Breaker(parts.clock);
  }

  /** Whether entries are put at all. */
  get isReadOnly(): boolean {
    return this.#parts.isReadOnly;
  }

  /** Whether entries are put, and the remote says which it has. */
  get canTell(): boolean {
    const { isReadOnly, tier } = this.#parts;
    return !isReadOnly && tier.has !== undefined;
  }

  /** Longest entry that is taken or put, bytes. */
  get maxBytes(): number {
    return this.#parts.maxBytes;
  }

  /** Asks for an entry. */
  get(key: string): Effect<Answer> {
    return { name: "get from remote", sync: () => "unasked", async: () => this.#get(key) };
  }

  async #get(key: string): Promise<Answer> {
    const { clock, counters, maxBytes, tier } = this.#parts;
    const startMs = clock();
    try {
      const got = await this.#call("get", async (options) => {
        const entry: unknown = await tier.get(key, { ...options, maxBytes });
        if (entry === undefined || entry === null) return "absent";
        if (!isUint8Array(entry)) {
          throw new TypeError(`it must be a Uint8Array or undefined, not ${describe(entry)}`);
        }
        if (lengthOf(entry) <= maxBytes) return copyOf(entry);
        throw new RangeError(`it has ${lengthOf(entry)} bytes, more than maxRemoteEntryBytes`);
      });
      if (got === "absent") counters.remoteMisses++;
      else if (got) counters.remoteBytesRead += got.length;
      return got ?? "failed";
    } finally {
      counters.remoteMs += clock() - startMs;
    }
  }

  /**
   * Puts an entry.
   *
   * @param make Makes it, no longer than `maxBytes`; called only when it is going to be sent.
   * @param isAbsent Whether the remote is known to have none that can be used.
   */
  put(key: string, isAbsent: boolean, make: () => Promise<Bytes | undefined>): Effect<void> {
    return { name: "put to remote", sync: () => {}, async: () => this.#put(key, isAbsent, make) };
  }

  async #put(key: string, isAbsent: boolean, make: () => Promise<Bytes | undefined>): Promise<void> {
    const { counters, tier } = this.#parts;
    if (this.#breaker.isOpen) return;
    const isWanted = isAbsent || !tier.has ||
      await this.#call("has", async (options) => !(await tier.has!(key, options)));
    const entry = isWanted ? await make() : undefined;
    if (!entry) return;
    // Its length afterwards is whatever the store makes of it.
    const { length } = entry;
    const isPut = await this.#call("put", async (options) => {
      await tier.put(key, entry, options);
      return true;
    });
    if (isPut) counters.remoteBytesWritten += length;
  }

  /** Removes an entry, where the remote can. */
  async delete(key: string): Promise<void> {
    const { isReadOnly, tier } = this.#parts;
    if (!tier.delete || isReadOnly) return;
    await this.behind.settleAll(key);
    await this.#call("delete", async (options) => await tier.delete!(key, options));
  }

  /** Reports an entry that could not be used. */
  refuse(fault: CacheError): void {
    this.#parts.counters.remoteFailures++;
    this.#parts.report(new CacheError("REMOTE", fault.message, { cause: fault, path: fault.path }));
  }

  /** Calls, within all bounds. Returns `undefined` if that failed or was left out. */
  async #call<T>(act: Act, call: (options: RemoteOptions) => Promise<T>): Promise<T | undefined> {
    const { clock, counters, report, timeoutMs } = this.#parts;
    if (this.#breaker.isOpen) return undefined;
    const abort = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = setTimer(() => {
      const reason = new DOMException(`no answer within ${timeoutMs} ms`, "TimeoutError");
      late.reject(reason);
      abort.abort(reason);
    }, Math.min(timeoutMs, MAX_TIMER_MS));
    // Who does not listen to the signal is waited for no longer either, in the queue or out of it.
    const inTime = <U>(step: Promise<U>) => Promise.race([late.promise, step]);
    const startMs = clock();
    let waitedMs = Infinity;
    let fault;
    try {
      const { signal } = abort;
      return await inTime(this.#limit(async () => {
        if (signal.aborted || !this.#breaker.enter()) return undefined;
        waitedMs = clock() - startMs;
        const value = await inTime(call({ signal }));
        this.#breaker.note(true);
        return value;
      }));
    } catch (cause) {
      fault = new CacheError("REMOTE", `Cannot ${WORDS[act]} the remote: ${textOf(cause)}`, { cause });
    } finally {
      clearTimer(timer);
    }
    counters.remoteFailures++;
    // What waited for its place for most of the time says nothing of the remote.
    if (!abort.signal.aborted || waitedMs <= timeoutMs / 2) this.#breaker.note(false);
    report(fault);
  }
}

const WORDS: Record<Act, string> = {
  get: "get entry from",
  put: "put entry to",
  has: "look for entry at",
  delete: "delete entry at",
};
