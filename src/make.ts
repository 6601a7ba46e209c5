// The second half of the lookup protocol: the disk, then the lock and the disk again, then a compile. The only place
// where entries and the engine meet.

import { copyOf, describe } from "./code.ts";
import type { Context, Provenance, Storage } from "./context.ts";
import type { Address } from "./disk_tier.ts";
import { type Effect, immediate, type Operation, perform } from "./effect.ts";
import { deserializing, keepsCode, serializing } from "./engine/calls.ts";
import { CacheError } from "./errors.ts";
import type { Bytes, Lock } from "./platform/platform.ts";

/** A module, and how it was come by. */
export interface Made<M> {
  /** The module. */
  readonly module: M;
  /** Where it came from. */
  readonly from: Exclude<Provenance, "memory">;
  /** Why not from a faster place. */
  readonly reason?: string;
}

/** What the disk had to say where it gave no module. */
interface Miss {
  readonly from: "recompiled" | "compiled";
  readonly reason: string;
  /** None stands there, or a proven-bad one: an entry may be written. */
  readonly mayWrite: boolean;
}

/**
 * Gets a module from the disk or the engine, and keeps it on the disk.
 *
 * @param compiling The step that compiles the code; begun already where no artifact can save it.
 */
export function* make<M>(
  context: Context<M>,
  code: Bytes,
  address: Address,
  compiling: Effect<M>,
): Operation<Made<M>> {
  const { engine, storage } = context;
  if (typeof storage === "string") return yield* compile(compiling, absent(storage));
  const unreadable = storage.directory.unreadable();
  if (unreadable) {
    if (unreadable.fault) context.report(unreadable.fault);
    return yield* compile(compiling, absent(unreadable.reason!));
  }
  return keepsCode(engine)
    ? yield* makeByCopy(context, storage, code, address, compiling)
    : yield* makeByArtifact(context, storage, code, address, compiling);
}

/** The artifact is the code: waiting for another's compile or reading the copy back would only cost time. */
function* makeByCopy<M>(
  context: Context<M>,
  storage: Storage,
  code: Bytes,
  address: Address,
  compiling: Effect<M>,
): Operation<Made<M>> {
  const { behind } = storage;
  yield* perform(behind.settle(address.key));
  const found = yield* read(context, storage, address, code);
  const module = yield* perform(compiling);
  if (!("mayWrite" in found)) return { module, from: "disk", reason: "the engine keeps code: compiled from it" };
  if (found.mayWrite) behind.schedule(address.key, () => write(context, storage, address, code, true));
  return { module, from: found.from, reason: found.reason };
}

function* makeByArtifact<M>(
  context: Context<M>,
  storage: Storage,
  code: Bytes,
  address: Address,
  compiling: Effect<M>,
): Operation<Made<M>> {
  const first = yield* load(context, storage, code, address);
  if ("module" in first) return first;
  const canWrite = first.mayWrite && (yield* isWritable(context, storage));
  if (!canWrite) return yield* compile(compiling, first);
  const lock = yield* takeLock(context, storage, address);
  try {
    // Whoever held the lock before may have published meanwhile.
    const second = lock ? yield* load(context, storage, code, address) : first;
    if ("module" in second) return second;
    const made = yield* compile(compiling, second);
    const artifact = second.mayWrite ? yield* serialize(context, made.module, code) : undefined;
    if (artifact) yield* write(context, storage, address, artifact, false);
    return made;
  } finally {
    if (lock) yield* perform(immediate("unlock", () => lock.release()));
  }
}

function absent(reason: string): Miss {
  return { from: "compiled", reason, mayWrite: true };
}

function* compile<M>(compiling: Effect<M>, { from, reason }: Miss): Operation<Made<M>> {
  return { module: yield* perform(compiling), from, reason };
}

/** Reads an entry and has the engine make a module of it. */
function* load<M>(context: Context<M>, storage: Storage, code: Bytes, address: Address): Operation<Made<M> | Miss> {
  const { engine } = context;
  const found = yield* read(context, storage, address);
  if ("mayWrite" in found) return found;
  const rejected: Miss = { from: "recompiled", reason: "the engine did not take the entry", mayWrite: true };
  try {
    const module = yield* perform(deserializing(engine, found, code));
    return module === undefined ? rejected : { module, from: "disk" };
  } catch (cause) {
    const message = `Cannot deserialize entry of engine "${engine.id}": it failed`;
    context.report(new CacheError("SERIALIZE", message, { path: address.path, cause }));
    return rejected;
  }
}

/** Reads an entry; every fault is a miss. */
function* read<M>(
  context: Context<M>,
  { disk }: Storage,
  address: Address,
  copy?: Bytes,
): Operation<Bytes | Miss> {
  let found;
  try {
    found = yield* disk.read(address, copy);
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    context.report(error);
    return { from: "compiled", reason: error.message, mayWrite: false };
  }
  if (found === undefined) return absent("there was no entry");
  if (!(found instanceof CacheError)) return found;
  context.report(found);
  return { from: "recompiled", reason: found.message, mayWrite: true };
}

/** Tells whether entries can be written; where not, says so once. */
function* isWritable<M>(context: Context<M>, { directory }: Storage): Operation<boolean> {
  const { disk, fault } = yield* directory.ability();
  if (fault) context.report(fault);
  return disk === "read-write";
}

/** Takes the lock of a key; every fault means to go on without. */
function* takeLock<M>(context: Context<M>, { directory }: Storage, { key }: Address): Operation<Lock | undefined> {
  const { counters } = context;
  try {
    const lock = yield* directory.lock(key.slice(0, 2));
    if (lock) counters.locks++;
    return lock;
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    if (error.code === "LOCK_TIMEOUT") counters.lockTimeouts++;
    context.report(error);
  }
}

/** Has the engine write a module down; a failure costs the entry, not the module. */
function* serialize<M>(context: Context<M>, module: M, code: Bytes): Operation<Bytes | undefined> {
  const { engine } = context;
  let artifact;
  try {
    artifact = yield* perform(serializing(engine, module, code));
    if (artifact !== undefined && !(artifact instanceof Uint8Array)) {
      throw new TypeError(`Cannot keep artifact: it must be a Uint8Array or undefined, not ${describe(artifact)}`);
    }
  } catch (cause) {
    const message = `Cannot serialize module of engine "${engine.id}": it failed`;
    context.report(new CacheError("SERIALIZE", message, { cause }));
    return undefined;
  }
  // It is hashed and written while others run: not from memory that somebody else may change or share.
  return artifact && copyOf(artifact);
}

/** Publishes an entry where it can; every fault leaves the directory as it was. */
function* write<M>(
  context: Context<M>,
  storage: Storage,
  address: Address,
  payload: Bytes,
  isCode: boolean,
): Operation<void> {
  if (!(yield* isWritable(context, storage))) return;
  const { counters } = context;
  try {
    yield* storage.disk.publish(address, payload, isCode);
    counters.writes++;
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    counters.writeFailures++;
    context.report(error);
  }
}
