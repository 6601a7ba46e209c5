// Shares entries with other machines: asks the remote for what the directory does not have, and puts what was made here.

import type { Work } from "./artifacts.ts";
import { join } from "./bytes.ts";
import type { Storage } from "./context.ts";
import { EntryChecks, inMemory } from "./disk/entry_checks.ts";
import { type Operation, perform, runAsync } from "./effect.ts";
import { CacheError } from "./errors.ts";
import type { Bytes } from "./platform/platform.ts";
import type { Answer, Remote } from "./remote/remote.ts";

/** The two parts of an entry. */
export interface Parts {
  /** What the engine reads. */
  readonly payload: Bytes;
  /** What follows it. */
  readonly end: Bytes;
}

/** An entry from the remote, in memory that nobody else has. */
export interface Copy extends Parts {
  /** What its compile took, ms. */
  readonly compileMs: number;
  /** Where it came from, for people. */
  readonly name: string;
}

/**
 * Asks the remote for an entry, and checks it as those in the directory are.
 *
 * @returns The entry; or as the remote answered, `"absent"` also for an entry that is not what was put.
 */
export function* ask<M>(
  { address, context: { remote, sealing } }: Work<M>,
): Operation<Copy | Exclude<Answer, Bytes>> {
  if (!remote) return "failed";
  const answer = yield* perform(remote.get(address.key));
  if (typeof answer === "string") return answer;
  const name = `${address.key} of the remote`;
  let compileMs = 0;
  const onRead = (header: { compileMs: number }) => compileMs = header.compileMs;
  try {
    const checks = new EntryChecks({ ...sealing, maxBytes: remote.maxBytes });
    const payload = yield* checks.payload(name, inMemory(answer), address, { onRead });
    return { payload, end: answer.subarray(payload.length), compileMs, name };
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    remote.refuse(error);
    return "absent";
  }
}

/** Has an entry put behind the caller. */
export function offer(remote: Remote, key: string, { payload, end }: Parts, isAbsent: boolean): void {
  const size = payload.length + end.length;
  if (size > remote.maxBytes) return;
  schedule(remote, key, size, isAbsent, () => Promise.resolve(join(payload, end)));
}

/** Has an entry of the directory put, unless the remote has it. */
export function offerStored<M>(
  { address, context: { offersHits, remote }, storage }: Work<M> & { storage: Storage },
): void {
  if (!offersHits || !remote?.canTell) return;
  schedule(remote, address.key, 0, false, () => runAsync(storage.disk.whole(address, remote.maxBytes)));
}

function schedule(
  remote: Remote,
  key: string,
  bytes: number,
  isAbsent: boolean,
  make: () => Promise<Bytes | undefined>,
): void {
  remote.behind.schedule(key, bytes, function* () {
    yield* perform(remote.put(key, isAbsent, make));
  });
}
