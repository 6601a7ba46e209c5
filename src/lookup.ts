// The first half of the lookup protocol: memory, then another task's work on the same code, then our own.

import { copyOf } from "./bytes.ts";
import type { Context, Provenance, Resolved } from "./context.ts";
import { begin, type Effect, immediate, mayWait, type Operation, perform } from "./effect.ts";
import { compiling, keepsCode } from "./engine/calls.ts";
import { type Address, addressIn, idDigest, toHex } from "./disk/key.ts";
import { fromCopy, obtain } from "./obtain.ts";
import type { Slot } from "./memory/memory_tier.ts";
import type { Bytes } from "./platform/platform.ts";

/** Code that nobody else has, with its digest as it was computed. */
export interface Received<M> {
  /** The code. */
  readonly code: Bytes;
  /** SHA-256 of the code. */
  readonly codeDigest: Bytes;
  /** Gives the module, where it was compiled already. */
  readonly compile?: Effect<M>;
  /** It was just read from a copy in the directory. */
  readonly isCopy?: boolean;
}

/** What is known of a code that is looked up. */
export interface Known<M> {
  /** SHA-256 of the code, hexadecimal, as the caller says. */
  readonly digest?: string;
  /** The code itself, where the caller has given it away. */
  readonly received?: Received<M>;
}

interface Found<M> {
  readonly slot: Slot<M>;
  readonly from: Provenance;
  readonly reason?: string;
}

/**
 * Looks a code up.
 *
 * @param view The code where the caller has it; copied before the first wait.
 * @param known What the caller knows of the code.
 * @returns The module and where it came from.
 * @throws {TypeError} When `digest` is not the code's.
 * @throws {CacheError} When the cache is strict and has a fault.
 */
export function* lookup<M>(
  context: Context<M>,
  view: Uint8Array,
  known: Known<M> = {},
): Operation<Resolved<M>> {
  const { platform, counters } = context;
  const startMs = platform.clock();
  try {
    const { slot: { module, key }, from, reason } = yield* find(context, view, known);
    counters[COUNTERS[from]]++;
    return { module, from, key, reason, elapsedMs: platform.clock() - startMs };
  } catch (error) {
    counters.failed++;
    throw error;
  }
}

const COUNTERS = { memory: "memoryHits", disk: "diskHits", recompiled: "recompiled", compiled: "compiled" } as const;

function* find<M>(context: Context<M>, view: Uint8Array, known: Known<M>): Operation<Found<M>> {
  const { memory, flights } = context;
  const { digest, received } = known;
  const slot = digest === undefined ? memory.find(view) : memory.get(digest);
  if (slot && (yield* isDone(context, slot))) return { slot, from: "memory" };
  const other = flights.findByCode(slot?.code ?? view);
  const landed = (other && (yield* perform(other.join))) ?? slot;
  if (!landed || !(yield* isDone(context, landed))) {
    return yield* fly(context, landed?.code ?? received?.code ?? copyOf(view), known, landed);
  }
  if (digest !== undefined && digest !== landed.digest) throw wrongDigest(digest, landed.digest);
  return { slot: landed, from: "memory", reason: JOINED };
}

/** Tells whether all was done for a module that this lookup may do. */
function* isDone<M>(context: Context<M>, slot: Slot<M>): Operation<boolean> {
  return isKept(context, slot) || slot.unwritten === "async" && !(yield* perform(mayWait));
}

/** Tells whether all was done for a module that this cache may do. */
function isKept<M>({ storage }: Context<M>, { unwritten }: Slot<M>): boolean {
  return unwritten === undefined || typeof storage === "string";
}

/**
 * Works on a code, and lets those who join have what comes of it.
 *
 * @param made Its module, where that is there but was not written down.
 */
function* fly<M>(context: Context<M>, code: Bytes, known: Known<M>, made?: Slot<M>): Operation<Found<M>> {
  const { flights, memory, platform } = context;
  const { digest, received } = known;
  let compile = made ? immediate("compile", () => made.module) : received?.compile;
  // A hit must not compile: not before it is known what memory or a flight may have without showing it.
  const mayBeThere = received !== undefined || memory.isCrowded(code) || flights.isCrowded(code);
  if (!mayBeThere) compile ??= yield* compileOf(context, code);
  const flight = flights.begin(code);
  let actual: string | undefined;
  try {
    const codeDigest = received?.codeDigest ?? (yield* perform(platform.sha256(code)));
    actual = toHex(codeDigest);
    const isWrong = digest !== undefined && digest !== actual;
    // Only this caller's mistake: where others have joined, the work goes on for them.
    if (isWrong && !flight.isJoined) throw wrongDigest(digest, actual);
    let found = yield* findByDigest(context, code, actual);
    if (!found) {
      flights.announce(flight, actual);
      compile ??= yield* compileOf(context, code);
      found = yield* obtainSlot(context, { ...received, code, codeDigest, compile }, made !== undefined);
    }
    flight.land(found.slot);
    if (isWrong) throw wrongDigest(digest, actual);
    return found;
  } catch (error) {
    flight.fail(error);
    throw error;
  } finally {
    flights.end(flight, actual);
  }
}

/** The step that compiles a code; begun already where no artifact can save the compile, so that it goes on meanwhile. */
function* compileOf<M>({ engine }: Context<M>, code: Bytes): Operation<Effect<M>> {
  const compile = compiling(engine, code);
  return keepsCode(engine) ? yield* begin(compile) : compile;
}

/** Finds what is there or under way but was crowded out of the index by codes of the same length and sample. */
function* findByDigest<M>(context: Context<M>, code: Bytes, digest: string): Operation<Found<M> | undefined> {
  const { memory, flights } = context;
  const known = memory.get(digest);
  if (known && (yield* isDone(context, known))) {
    // Set anew, it is found by its code again.
    const slot = { ...known, code };
    memory.set(slot);
    return { slot, from: "memory" };
  }
  const other = flights.findByDigest(digest);
  const slot = other && (yield* perform(other.join));
  return slot && (yield* isDone(context, slot)) ? { slot, from: "memory", reason: JOINED } : undefined;
}

const JOINED = "another lookup was making it";

/** Obtains a module, and has memory keep it. Where it was made before, that is a hit which had its entry to write. */
function* obtainSlot<M>(
  context: Context<M>,
  { code, codeDigest, compile, isCopy }: Received<M> & { compile: Effect<M> },
  isMade: boolean,
): Operation<Found<M>> {
  const { engine, memory, storage } = context;
  const { length } = code;
  const address = yield* addressOf(context, codeDigest);
  const obtained = typeof storage === "string"
    ? { module: yield* perform(compile), from: "compiled" as const, reason: storage, unwritten: "any" as const }
    : isCopy && keepsCode(engine)
    ? yield* fromCopy(compile)
    : yield* obtain({ context, storage, address, code, compile });
  if (code.length !== length) throw new TypeError(`Cannot keep code: engine "${engine.id}" transferred it away`);
  const { module, from, reason, unwritten } = obtained;
  const digest = toHex(codeDigest);
  // A synchronous lookup may have been faster: memory gives one module for a code.
  const found = memory.get(digest);
  const slot = found && isKept(context, found)
    ? { ...found, code }
    : { module: found?.module ?? module, code, digest, key: address.key, unwritten };
  memory.set(slot);
  return isMade ? { slot, from: "memory" } : { slot, from, reason };
}

function wrongDigest(given: string, actual: string): TypeError {
  return new TypeError(`Cannot use digest ${given}: the SHA-256 of the code is ${actual}`);
}

/** Where the entry of a code is. */
function* addressOf<M>({ engine, identity, platform }: Context<M>, codeDigest: Bytes): Operation<Address> {
  identity.digest ??= yield* idDigest(platform, engine.id);
  return yield* addressIn(platform, engine.id, codeDigest, identity.digest);
}

/** Name of an entry. */
export function* keyOf<M>(context: Context<M>, view: Uint8Array): Operation<string> {
  return (yield* addressOf(context, yield* perform(context.platform.sha256(copyOf(view))))).key;
}
