// Writes entries: counts what comes of it, reports faults, and has the directory pruned when that is due.

import type { Address } from "./disk/key.ts";
import type { Context, Storage } from "./context.ts";
import { CannotWait, type Operation } from "./effect.ts";
import { CacheError, isGone } from "./errors.ts";
import type { Bytes } from "./platform/platform.ts";

/** An entry to be written. */
export interface Writing {
  /** Where it goes. */
  readonly address: Address;
  /** The disk side of the cache. */
  readonly storage: Storage;
  /** Counters, and where faults are reported. */
  readonly context: Pick<Context<unknown>, "counters" | "report" | "teller">;
  /** Payload of the entry. */
  readonly payload: Bytes;
  /** Whether the payload is the code itself. */
  readonly isCode?: boolean;
  /** What the compile took, ms, if that is known. */
  readonly compileMs?: number;
  /** What follows the payload, if that is known. */
  readonly end?: Bytes;
  /** Why it cannot be written. */
  readonly unable?: CacheError;
}

/**
 * Publishes an entry, if that is possible. Reports a fault; the entry that was there then stays. Does not create a
 * directory that is gone.
 */
export function* write(writing: Writing): Operation<void> {
  try {
    yield* publish(writing);
  } catch (error) {
    if (!(error instanceof CannotWait)) throw error;
  }
}

/**
 * As {@linkcode write}, but says if it would have to wait.
 *
 * @throws {CannotWait} In a synchronous run that would have to sign by a `CryptoKey`.
 */
export function* publish(writing: Writing): Operation<void> {
  const { address, context: { counters, report, teller }, payload, unable, storage } = writing;
  const { isCode = false, compileMs = 0, end } = writing;
  const { behind, disk, limits } = storage;
  let fault: CacheError | undefined;
  try {
    if (unable) throw unable;
    const written = yield* disk.publish(address, payload, { isCode, compileMs, end });
    counters[written.isWritten ? "writes" : "writeFailures"]++;
    if (written.isWritten) {
      counters.bytesWritten += written.bytes;
      if (teller.isHeard("store")) teller.tell("store", { key: address.key, bytes: written.bytes });
    }
    fault = written.fault;
  } catch (error) {
    counters.writeFailures++;
    if (!(error instanceof CacheError)) throw error;
    if (error === unable || !isGone(error)) fault = error;
  }
  if (limits.isDue) behind.schedule("prune", 0, () => prune(writing));
  if (fault) report(fault);
}

function* prune({ context: { report }, storage: { limits } }: Writing): Operation<void> {
  try {
    const pruned = yield* limits.pruneAlone();
    if (pruned?.fault) report(pruned.fault);
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    report(error);
  }
}
