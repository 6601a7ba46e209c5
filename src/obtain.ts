// The second half of the lookup protocol: the disk, then the lock and the disk again, then a compile. The only place
// where entries and the engine meet.

import type { Address } from "./disk/key.ts";
import { copyOf, describe, isUint8Array } from "./bytes.ts";
import type { Context, Provenance, Storage } from "./context.ts";
import type { MissReason } from "./counters.ts";
import type { Refusal } from "./disk/directory.ts";
import { CannotWait, type Effect, immediate, type Operation, perform, runSync } from "./effect.ts";
import type { ReadOptions } from "./disk/disk_tier.ts";
import { type Compile, deserializing, deserializingFile, keepsCode, serializing } from "./engine/calls.ts";
import type { EntryPlace } from "./engine/engine.ts";
import { CacheError, isGone } from "./errors.ts";
import type { Slot } from "./memory/memory_tier.ts";
import type { Bytes, Lock } from "./platform/platform.ts";
import { publish, write } from "./publish.ts";

/** What a module is obtained from. */
export interface Work<M> {
  /** The cache. */
  readonly context: Context<M>;
  /** Its disk side. */
  readonly storage: Storage;
  /** The code, our own copy. */
  readonly code: Bytes;
  /** Where its entry is. */
  readonly address: Address;
  /** The step that compiles the code; already begun if no artifact can save it. */
  readonly compile: Compile<M>;
}

/** A module that memory did not have. */
export interface Obtained<M> {
  /** The module. */
  readonly module: M;
  /** Where it came from. */
  readonly from: Exclude<Provenance, "memory">;
  /** Why no faster source was used. */
  readonly reason?: string;
  /** Why it was compiled. */
  readonly miss?: MissReason;
  /** What its compile took, ms, if an entry says so. */
  readonly compileMs?: number;
  /** Which lookups can still write its entry. */
  readonly unwritten?: Slot<M>["unwritten"];
}

/** Why the disk gave no module. */
export interface Miss extends Omit<Obtained<never>, "module"> {
  /** Its kind. */
  readonly miss: MissReason;
  /** The same for people. */
  readonly reason: string;
  /** Whether an entry may be written: there is none, or a damaged one. */
  readonly mayWrite: boolean;
}

/** Gets a module from the disk or from the engine, and writes its entry. */
export function* obtain<M>(work: Work<M>): Operation<Obtained<M>> {
  const { address, context: { engine, report }, storage: { directory } } = work;
  const forbidden = directory.mustNotRead;
  const refusal = forbidden ?? (engine.native ? yield* directory.mustNotTrust(address.path) : undefined);
  if (isRefused(refusal, report)) {
    return yield* compiled(work, missed(forbidden ? "unreadable" : "untrusted", refusal.reason));
  }
  return yield* (keepsCode(engine) ? obtainByCode(work) : obtainByArtifact(work));
}

/** For engines that store the code: waiting for another's compile, or reading the copy back, would only cost time. */
function* obtainByCode<M>(work: Work<M>): Operation<Obtained<M>> {
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

function* obtainByArtifact<M>(work: Work<M>): Operation<Obtained<M>> {
  const { context: { engine, report, requireHit }, storage: { directory } } = work;
  const first = yield* load(work);
  if ("module" in first) return first;
  if (requireHit || !first.mayWrite || isRefused(directory.mustNotWrite, report)) return yield* compiled(work, first);
  const lock = engine.deferred ? undefined : yield* takeLock(work);
  try {
    // The previous holder of the lock may have published the entry.
    const second = lock ? yield* load(work) : first;
    if ("module" in second) return second;
    const obtained = yield* compiled(work, second);
    return second.mayWrite ? { ...obtained, unwritten: yield* keep(work, obtained.module) } : obtained;
  } finally {
    if (lock) yield* perform(immediate("unlock", () => lock.release()));
  }
}

/** Why the disk gave nothing. */
export function missed(miss: MissReason, reason: string, but: Partial<Miss> = {}): Miss {
  return { from: "compiled", miss, reason, mayWrite: true, ...but };
}

/** A synchronous run had to skip the disk. */
const HELD: Partial<Miss> = { mayWrite: false, unwritten: "async" };

/**
 * Compiles.
 *
 * @throws {CacheError} `MISS` if the cache requires hits.
 */
export function* compiled<M>(
  { compile, context: { counters, requireHit } }: Pick<Work<M>, "compile" | "context">,
  miss: Miss,
): Operation<Obtained<M>> {
  if (requireHit) {
    counters.misses[miss.miss]++;
    throw new CacheError("MISS", `Cannot compile code: requireHit forbids it, and ${miss.reason}`);
  }
  return { ...miss, module: yield* perform(compile) };
}

/** Reads an entry and has the engine deserialize it. */
function* load<M>(work: Work<M>): Operation<Obtained<M> | Miss> {
  const { code, context: { engine }, storage: { directory } } = work;
  let compileMs = 0;
  const place = () => directory.mustNotWrite ? undefined : placeOf(work, compileMs);
  const onRead = (header: { compileMs: number }) => compileMs = header.compileMs;
  const map = (path: string) => deserialized(work, deserializingFile(engine, path, code, place()));
  const found = yield* read(work, engine.deserializeFile ? { map, onRead } : { onRead });
  const obtained = "from" in found ? found : yield* deserialized(work, deserializing(engine, found, code, place()));
  return "module" in obtained ? { ...obtained, compileMs } : obtained;
}

function* deserialized<M>(work: Work<M>, step: Effect<M | undefined>): Operation<Obtained<M> | Miss> {
  const { address, context: { engine, report }, storage: { directory } } = work;
  const rejected = missed("rejected", "the engine did not take the entry", { from: "recompiled" });
  try {
    const module = yield* perform(step);
    return module === undefined ? rejected : { module, from: "disk" };
  } catch (cause) {
    if (CannotWait.is(cause)) return missed("busy", cause.message, HELD);
    const path = `${directory.root}/${address.path}`;
    report(
      new CacheError("SERIALIZE", `Cannot deserialize entry of engine "${engine.id}": it failed`, { path, cause }),
    );
    return rejected;
  }
}

/** Reads an entry; every fault is a miss. */
function* read<M, T = never>(work: Work<M>, { onRead, ...options }: ReadOptions<T>): Operation<Bytes | T | Miss> {
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
function* takeLock<M>(work: Work<M>): Operation<Lock | undefined> {
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

/**
 * Has the engine serialize a module, and writes the entry. A failure costs the entry, not the module.
 *
 * @returns `"async"` if an asynchronous lookup must do it, because this run would have to wait.
 */
function* keep<M>(work: Work<M>, module: M): Operation<"async" | undefined> {
  try {
    const payload = yield* serialize(work, module);
    if (payload) {
      yield* publish({ ...work, payload, compileMs: tookOf(work), unable: yield* work.storage.directory.prepare() });
    }
  } catch (error) {
    if (!CannotWait.is(error)) throw error;
    return "async";
  }
}

function* serialize<M>(work: Work<M>, module: M): Operation<Bytes | undefined> {
  const { code, context: { engine, report } } = work;
  try {
    const artifact = yield* perform(serializing(engine, module, code, placeOf(work, tookOf(work))));
    if (artifact !== undefined && !isUint8Array(artifact)) {
      throw new TypeError(`Cannot keep artifact: it must be a Uint8Array or undefined, not ${describe(artifact)}`);
    }
    // Copied, because it is hashed and written while other work runs: the engine may change or share its memory.
    return artifact && copyOf(artifact);
  } catch (cause) {
    if (CannotWait.is(cause)) throw cause;
    report(new CacheError("SERIALIZE", `Cannot serialize module of engine "${engine.id}": it failed`, { cause }));
  }
}

/** What the compile took, ms. */
function tookOf({ compile }: Pick<Work<unknown>, "compile">): number {
  return compile.took?.ms ?? 0;
}

/** What an engine needs to write the entry later. */
function placeOf<M>(work: Work<M>, compileMs: number): EntryPlace {
  const { address: { key }, storage: { directory, options } } = work;
  return {
    key,
    compileMs,
    directory: directory.path,
    root: directory.root,
    options,
    prepare: () => {
      runSync(directory.makeFolders());
      runSync(directory.secure());
    },
  };
}
