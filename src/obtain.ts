// The second half of the lookup protocol: the disk, then the lock and the disk again, then a compile. The only place
// where entries and the engine meet.

import type { Address } from "./disk/key.ts";
import { copyOf, describe, isUint8Array } from "./bytes.ts";
import type { Context, Provenance, Storage } from "./context.ts";
import { CannotWait, type Effect, immediate, type Operation, perform, runSync } from "./effect.ts";
import { deserializing, keepsCode, serializing } from "./engine/calls.ts";
import type { EntryPlace } from "./engine/engine.ts";
import { CacheError, isGone } from "./errors.ts";
import type { Bytes, Lock } from "./platform/platform.ts";

/** What is to be made, and by what. */
export interface Work<M> {
  /** The cache. */
  readonly context: Context<M>;
  /** The code, a copy of ours. */
  readonly code: Bytes;
  /** Where its entry is. */
  readonly address: Address;
  /** The step that compiles the code; begun already where no artifact can save it. */
  readonly compile: Effect<M>;
  /** The code was just read from a copy in the directory: to look whether there is one would only cost time. */
  readonly isCopy?: boolean;
  /** The module is there already, and only its entry missing. */
  readonly isMade?: boolean;
}

/** A module, and how it was come by. */
export interface Made<M> {
  /** The module. */
  readonly module: M;
  /** Where it came from. */
  readonly from: Exclude<Provenance, "memory">;
  /** Why not from a faster place. */
  readonly reason?: string;
}

interface StoredWork<M> extends Work<M> {
  readonly storage: Storage;
}

/** What the disk had to say where it gave no module. */
interface Miss {
  readonly from: "recompiled" | "compiled";
  readonly reason: string;
  /** None stands there, or a proven-bad one: an entry may be written. */
  readonly mayWrite: boolean;
}

/** Gets a module from the disk or the engine, and keeps it on the disk. */
export function* make<M>(work: Work<M>): Operation<Made<M>> {
  const { engine, report, storage } = work.context;
  if (typeof storage === "string") return yield* compile(work, absent(storage));
  const { directory } = storage;
  const refusal = directory.mustNotRead ??
    (engine.native ? yield* directory.mustNotTrust(work.address.path) : undefined);
  if (refusal) {
    if (refusal.fault) report(refusal.fault);
    return yield* compile(work, absent(refusal.reason));
  }
  return yield* (keepsCode(engine) ? makeByCopy({ ...work, storage }) : makeByArtifact({ ...work, storage }));
}

/** The artifact is the code: waiting for another's compile or reading the copy back would only cost time. */
function* makeByCopy<M>(work: StoredWork<M>): Operation<Made<M>> {
  const { address: { key }, code, storage: { behind, directory } } = work;
  yield* perform(behind.settle(key));
  const found = work.isCopy ? code : yield* read(work, code);
  if (!("mayWrite" in found)) {
    return { module: yield* perform(work.compile), from: "disk", reason: "the engine keeps code: compiled from it" };
  }
  if (!found.mayWrite || !mayWriteTo(work)) return yield* compile(work, found);
  const unable = yield* directory.prepare();
  const made = yield* compile(work, found);
  behind.schedule(key, code.length, () => write({ ...work, payload: code, isCode: true, unable }));
  return made;
}

function* makeByArtifact<M>(work: StoredWork<M>): Operation<Made<M>> {
  const first = yield* load(work);
  if ("module" in first) return first;
  if (!first.mayWrite || !mayWriteTo(work)) return yield* compile(work, first);
  const lock = yield* takeLock(work);
  try {
    // Whoever held the lock before may have published meanwhile.
    const second = lock ? yield* load(work) : first;
    if ("module" in second) return second;
    const made = yield* compile(work, second);
    const artifact = second.mayWrite ? yield* serialize(work, made.module) : undefined;
    if (artifact) yield* write({ ...work, payload: artifact, unable: yield* work.storage.directory.prepare() });
    return made;
  } finally {
    if (lock) yield* perform(immediate("unlock", () => lock.release()));
  }
}

function absent(reason: string): Miss {
  return { from: "compiled", reason, mayWrite: true };
}

function* compile<M>(work: Work<M>, { from, reason }: Miss): Operation<Made<M>> {
  return { module: yield* perform(work.compile), from, reason };
}

/** Reads an entry and has the engine make a module of it. */
function* load<M>(work: StoredWork<M>): Operation<Made<M> | Miss> {
  const { address, code, context: { engine, report }, storage: { directory } } = work;
  const found = yield* read(work);
  if ("mayWrite" in found) return found;
  const rejected: Miss = { from: "recompiled", reason: "the engine did not take the entry", mayWrite: true };
  try {
    const place = directory.mustNotWrite ? undefined : placeOf(work);
    const module = yield* perform(deserializing(engine, found, { code, place }));
    return module === undefined ? rejected : { module, from: "disk" };
  } catch (cause) {
    if (CannotWait.is(cause)) return { from: "compiled", reason: cause.message, mayWrite: false };
    const path = `${directory.root}/${address.path}`;
    report(
      new CacheError("SERIALIZE", `Cannot deserialize entry of engine "${engine.id}": it failed`, { path, cause }),
    );
    return rejected;
  }
}

/**
 * Reads an entry; every fault is a miss.
 *
 * @param copy The code, where the entry must be a copy of it and need not be read back.
 */
function* read<M>(work: StoredWork<M>, copy?: Bytes): Operation<Bytes | Miss> {
  const { address, context: { report }, storage: { disk } } = work;
  let found;
  try {
    found = yield* disk.read(address, { copy });
  } catch (error) {
    if (error instanceof CacheError) report(error);
    else if (!(error instanceof CannotWait)) throw error;
    return { from: "compiled", reason: error.message, mayWrite: false };
  }
  if (found === undefined) return absent("there was no entry");
  if (!(found instanceof CacheError)) return found;
  report(found);
  return { from: "recompiled", reason: found.message, mayWrite: true };
}

/** Tells whether the cache may write; where the program lacks the permission, says so. */
function mayWriteTo<M>({ context: { report }, storage: { directory } }: StoredWork<M>): boolean {
  const refusal = directory.mustNotWrite;
  if (refusal?.fault) report(refusal.fault);
  return refusal === undefined;
}

/** Takes the lock of a key; every fault means to go on without. */
function* takeLock<M>({ address, context, storage: { locks } }: StoredWork<M>): Operation<Lock | undefined> {
  const { counters, report } = context;
  try {
    const lock = yield* locks.lock(address.key.slice(0, 2));
    if (lock) counters.locks++;
    return lock;
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    if (error.code === "LOCK_TIMEOUT") counters.lockTimeouts++;
    if (!isGone(error)) report(error);
  }
}

/** Has the engine write a module down; a failure costs the entry, not the module. */
function* serialize<M>(work: StoredWork<M>, module: M): Operation<Bytes | undefined> {
  const { code, context: { engine, report } } = work;
  try {
    const artifact = yield* perform(serializing(engine, module, { code, place: placeOf(work) }));
    if (artifact !== undefined && !isUint8Array(artifact)) {
      throw new TypeError(`Cannot keep artifact: it must be a Uint8Array or undefined, not ${describe(artifact)}`);
    }
    // It is hashed and written while others run: not from memory that somebody else may change or share.
    return artifact && copyOf(artifact);
  } catch (cause) {
    // The lookup would have been a hit, had it not to write.
    if (work.isMade && CannotWait.is(cause)) return undefined;
    report(new CacheError("SERIALIZE", `Cannot serialize module of engine "${engine.id}": it failed`, { cause }));
  }
}

/** What an engine needs that writes the entry later. */
function placeOf<M>(work: StoredWork<M>): EntryPlace {
  const { address: { key }, storage: { directory, options } } = work;
  return {
    key,
    directory: directory.path,
    root: directory.root,
    options,
    prepare: () => {
      runSync(directory.makeFolders());
      runSync(directory.secure());
    },
  };
}

/** What is to be written. */
export interface Writing {
  /** Where its entry is. */
  readonly address: Address;
  /** The disk side of the cache. */
  readonly storage: Storage;
  /** Counts, and hears of faults. */
  readonly context: Pick<Context<unknown>, "counters" | "report">;
  /** What the entry holds. */
  readonly payload: Bytes;
  /** That is the code itself. */
  readonly isCode?: boolean;
  /** Why it cannot be written. */
  readonly unable?: CacheError;
}

/** Publishes an entry where it can; every fault leaves the directory as it was. Does not make it where it is gone. */
export function* write(writing: Writing): Operation<void> {
  const { context: { report }, storage: { behind, housekeeping } } = writing;
  const fault = yield* publish(writing);
  if (housekeeping.isDue) behind.schedule("prune", 0, () => prune(writing));
  if (fault) report(fault);
}

function* publish({ address, context, payload, isCode = false, unable, storage }: Writing): Operation<
  CacheError | undefined
> {
  const { counters } = context;
  try {
    if (unable) throw unable;
    const { isWritten, fault } = yield* storage.disk.publish(address, payload, { isCode });
    counters[isWritten ? "writes" : "writeFailures"]++;
    return fault;
  } catch (error) {
    if (!(error instanceof CacheError) && !(error instanceof CannotWait)) throw error;
    counters.writeFailures++;
    const isDropped = error instanceof CannotWait || error !== unable && isGone(error);
    return isDropped ? undefined : error;
  }
}

function* prune({ context: { report }, storage: { housekeeping } }: Writing): Operation<void> {
  // Another write may have scheduled it as well.
  if (!housekeeping.isDue) return;
  try {
    const pruned = yield* housekeeping.pruneAlone();
    if (typeof pruned === "object" && pruned.fault) report(pruned.fault);
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    report(error);
  }
}
