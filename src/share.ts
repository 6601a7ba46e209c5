// Shares entries with other machines: asks the remote for what the directory does not have, and puts what was made here.

import { deserialized, type Obtained, placeOf, type Work } from "./artifacts.ts";
import { copyOf, join } from "./bytes.ts";
import type { Storage } from "./context.ts";
import { EntryChecks, inMemory } from "./disk/entry_checks.ts";
import { type Operation, perform, runAsync } from "./effect.ts";
import { deserializing } from "./engine/calls.ts";
import { CacheError } from "./errors.ts";
import type { Bytes } from "./platform/platform.ts";
import type { Answer, Remote } from "./remote/remote.ts";

/** The two parts of an entry. */
export interface Copy {
  /** What the engine reads. */
  readonly payload: Bytes;
  /** What follows it. */
  readonly end: Bytes;
}

/** A module that the remote had. */
export interface Shared<M> extends Obtained<M> {
  /** Its entry, for the directory. */
  readonly copy: Copy;
}

/**
 * Asks the remote for a module.
 *
 * @param storage The directory, if its entry will be written there.
 * @returns The module; or as the remote answered, `"absent"` also for an entry that cannot be used.
 */
export function* ask<M>(
  work: Work<M>,
  storage: Storage | undefined,
): Operation<Shared<M> | Exclude<Answer, Uint8Array>> {
  const { address, code, context: { engine, remote } } = work;
  if (!remote) return "failed";
  const answer = yield* perform(remote.get(address.key));
  if (typeof answer === "string") return answer;
  const name = `${address.key} of the remote`;
  let compileMs = 0;
  let copy;
  try {
    copy = yield* checked(work, remote, name, answer, (header) => compileMs = header.compileMs);
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    remote.refuse(error);
    return "absent";
  }
  // The engine gets memory of its own: what it makes of it must not get into the directory.
  const step = deserializing(engine, copy.payload.slice(), code, storage && placeOf(work, compileMs));
  const obtained = yield* deserialized(work, step, "remote", name);
  return "module" in obtained ? { ...obtained, compileMs, copy } : "absent";
}

/** Checks an entry as those in the directory are. */
function* checked<M>(
  { address, context: { sealing } }: Work<M>,
  { maxBytes }: Remote,
  name: string,
  answer: Uint8Array,
  onRead: (header: { compileMs: number }) => void,
): Operation<Copy> {
  const { length } = answer;
  if (length > maxBytes) {
    throw new CacheError("CORRUPT", `Cannot use entry ${name}: it is larger than maxRemoteEntryBytes`);
  }
  // The store may share its memory with others.
  const entry = copyOf(answer);
  const payload = yield* new EntryChecks({ ...sealing, maxBytes }).payload(name, inMemory(entry), address, { onRead });
  return { payload, end: entry.slice(payload.length) };
}

/** Has an entry put behind the caller. */
export function offer(remote: Remote, key: string, { payload, end }: Copy, isAbsent: boolean): void {
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
