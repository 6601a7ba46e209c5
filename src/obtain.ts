// The second half of the lookup protocol: the disk, then the lock and the disk again, then the remote, then a compile.

import {
  compiled,
  deserialized,
  HELD,
  type Miss,
  missed,
  type Obtained,
  placeOf,
  serialize,
  tookOf,
  type Work,
} from "./artifacts.ts";
import type { Context, Storage } from "./context.ts";
import type { Refusal } from "./disk/directory.ts";
import type { ReadOptions } from "./disk/disk_tier.ts";
import { seal } from "./disk/seal.ts";
import { CannotWait, type Effect, immediate, type Operation, perform } from "./effect.ts";
import { deserializing, deserializingFile, keepsCode } from "./engine/calls.ts";
import { CacheError, isGone } from "./errors.ts";
import type { Bytes, Lock } from "./platform/platform.ts";
import { publish, write } from "./publish.ts";
import { ask, offer, offerStored } from "./share.ts";

/** Work with a directory. */
interface DiskWork<M> extends Work<M> {
  /** The disk side. */
  readonly storage: Storage;
}

/** Gets a module from the disk, the remote or the engine, and writes its entry. */
export function* obtain<M>(plain: Work<M>): Operation<Obtained<M>> {
  const { address, context: { engine, report, storage } } = plain;
  if (typeof storage === "string") return yield* elsewhere(plain, missed("off", storage, { unwritten: "any" }));
  const work: DiskWork<M> = { ...plain, storage };
  const { directory } = storage;
  const forbidden = directory.mustNotRead;
  const refusal = forbidden ?? (engine.native ? yield* directory.mustNotTrust(address.path) : undefined);
  if (isRefused(refusal, report)) {
    return yield* elsewhere(plain, missed(forbidden ? "unreadable" : "untrusted", refusal.reason));
  }
  return yield* (keepsCode(engine) ? obtainByCode(work) : obtainByArtifact(work));
}

/** For engines that store the code: waiting for another's compile, or reading the copy back, would only cost time. */
function* obtainByCode<M>(work: DiskWork<M>): Operation<Obtained<M>> {
  const { address: { key }, code, context: { report }, storage: { behind, directory } } = work;
  yield* perform(behind.settle(key));
  // It is a copy of the code, which need not be read back.
  const found = yield* read(work, { copy: code });
  if (!("from" in found)) return yield* fromCopy(work.compile);
  if (!found.mayWrite || isRefused(directory.mustNotWrite, report)) return yield* compiled(work, found);
  const unable = yield* directory.prepare();
  const obtained = yield* compiled(work, found);
  behind.schedule(
    key,
    code.length,
    () => write({ ...work, payload: code, isCode: true, compileMs: tookOf(work), unable }),
  );
  return obtained;
}

/** Compiles code that has an entry. */
export function* fromCopy<M>(compile: Effect<M>): Operation<Obtained<M>> {
  return { module: yield* perform(compile), from: "disk", reason: "the engine keeps code: compiled from it" };
}

function* obtainByArtifact<M>(work: DiskWork<M>): Operation<Obtained<M>> {
  const { context: { engine, remote, report, requireHit }, storage: { directory } } = work;
  const first = yield* load(work);
  if ("module" in first) return first;
  const isLast = requireHit && !remote;
  if (isLast || !first.mayWrite || isRefused(directory.mustNotWrite, report)) return yield* elsewhere(work, first);
  const lock = engine.deferred ? undefined : yield* takeLock(work);
  try {
    // The previous holder of the lock may have published the entry.
    const second = lock ? yield* load(work) : first;
    if ("module" in second) return second;
    return yield* elsewhere(work, second, second.mayWrite ? work.storage : undefined);
  } finally {
    if (lock) yield* perform(immediate("unlock", () => lock.release()));
  }
}

/**
 * Gets a module that the disk does not have: from the remote, otherwise by a compile.
 *
 * @param storage Where its entry is written; absent if it must not be.
 */
function* elsewhere<M>(work: Work<M>, miss: Miss, storage?: Storage): Operation<Obtained<M>> {
  const { address, context } = work;
  const copy = yield* ask(work);
  const isCopy = typeof copy === "object";
  if (isCopy) {
    const { compileMs, name, payload } = copy;
    // Before the engine gets the memory, for it may do with it what it likes.
    if (storage) yield* publish({ address, context, storage, ...copy, unable: yield* storage.directory.prepare() });
    const place = storage && placeOf(work, compileMs);
    const step = deserializing(context.engine, payload, work.code, place);
    const obtained = yield* deserialized(work, step, "remote", name);
    if ("module" in obtained) return { ...obtained, compileMs };
    context.counters.remoteFailures++;
  }
  const obtained = yield* compiled(work, miss);
  const mayOffer = copy !== "failed" && miss.unwritten !== "async";
  const isAbsent = isCopy || copy === "absent";
  const unwritten = yield* keep(work, obtained.module, { storage, mayOffer, isAbsent });
  return storage ? { ...obtained, unwritten } : obtained;
}

/** Reads an entry and has the engine deserialize it. */
function* load<M>(work: DiskWork<M>): Operation<Obtained<M> | Miss> {
  const { address, code, context: { engine }, storage: { directory } } = work;
  let compileMs = 0;
  const place = () => directory.mustNotWrite ? undefined : placeOf(work, compileMs);
  const onRead = (header: { compileMs: number }) => compileMs = header.compileMs;
  const path = `${directory.root}/${address.path}`;
  const readBack = (step: Effect<M | undefined>) => deserialized(work, step, "disk", path);
  const map = (path: string) => readBack(deserializingFile(engine, path, code, place()));
  const found = yield* read(work, engine.deserializeFile ? { map, onRead } : { onRead });
  const obtained = "from" in found ? found : yield* readBack(deserializing(engine, found, code, place()));
  if (!("module" in obtained)) return obtained;
  offerStored(work);
  return { ...obtained, compileMs };
}

/** Reads an entry; every fault is a miss. */
function* read<M, T = never>(work: DiskWork<M>, { onRead, ...options }: ReadOptions<T>): Operation<Bytes | T | Miss> {
  const { address, context: { counters, report }, storage: { disk } } = work;
  const counted: ReadOptions<T>["onRead"] = (header, bytes) => {
    counters.bytesRead += bytes;
    onRead?.(header, bytes);
  };
  let found;
  try {
    found = yield* disk.read(address, { ...options, onRead: counted });
  } catch (error) {
    if (error instanceof CannotWait) return missed("busy", error.message, HELD);
    if (!(error instanceof CacheError)) throw error;
    report(error);
    return missed(error.code === "UNTRUSTED" ? "untrusted" : "unreadable", error.message, { mayWrite: false });
  }
  if (found === undefined) return missed("absent", "there was no entry");
  if (!(found instanceof CacheError)) return found;
  report(found);
  return missed("damaged", found.message, { from: "recompiled" });
}

/** Whether something must not be done. Reports why, unless it is the caller's wish. */
function isRefused(refusal: Refusal | undefined, report: Context<unknown>["report"]): refusal is Refusal {
  if (refusal?.fault) report(refusal.fault);
  return refusal !== undefined;
}

/** Takes the lock of a key. After a fault the lookup goes on without it. */
function* takeLock<M>(work: DiskWork<M>): Operation<Lock | undefined> {
  const { address, context: { counters, report }, storage: { locks } } = work;
  try {
    const lock = yield* locks.lock(address.key.slice(0, 2), (ms) => {
      counters.lockWaits++;
      counters.lockWaitMs += ms;
    });
    if (lock) counters.locks++;
    return lock;
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    if (error.code === "LOCK_TIMEOUT") counters.lockTimeouts++;
    if (!isGone(error)) report(error);
  }
}

/** Where an entry goes. */
interface Destination {
  /** The directory, if it is written. */
  readonly storage?: Storage;
  /** It is put to the remote too. */
  readonly mayOffer: boolean;
  /** The remote is known to have none. */
  readonly isAbsent: boolean;
}

/**
 * Has the engine serialize a module, writes the entry, and has it put to the remote behind the caller. A failure costs
 * the entry, not the module.
 *
 * @returns `"async"` if an asynchronous lookup must do it, because this run would have to wait.
 */
function* keep<M>(
  work: Work<M>,
  module: M,
  { isAbsent, mayOffer, storage }: Destination,
): Operation<"async" | undefined> {
  const { address, context } = work;
  const remote = mayOffer && !context.remote?.isReadOnly ? context.remote : undefined;
  if (!storage && !remote) return undefined;
  const compileMs = tookOf(work);
  try {
    const payload = yield* serialize(work, module, storage && placeOf(work, compileMs));
    if (!payload) return undefined;
    const end = remote && (yield* seal(context.sealing, address, payload, { isCode: false, compileMs }));
    if (storage) {
      const unable = yield* storage.directory.prepare();
      yield* publish({ address, context, storage, payload, end, compileMs, unable });
    }
    if (end) offer(remote!, address.key, { payload, end }, isAbsent);
  } catch (error) {
    if (!CannotWait.is(error)) throw error;
    return "async";
  }
}
