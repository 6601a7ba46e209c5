// The first half of the lookup protocol: memory, then another task's work on the same code, then our own.

import { copyOf } from "./bytes.ts";
import type { Context, Provenance, Resolved } from "./context.ts";
import { begin, type Effect, immediate, type Operation, perform } from "./effect.ts";
import { compiling, keepsCode } from "./engine/calls.ts";
import { type Address, addressIn, idDigest, toHex } from "./disk/key.ts";
import { make, type Work } from "./obtain.ts";
import type { Slot } from "./memory/memory_tier.ts";
import type { Bytes } from "./platform/platform.ts";

/** What is known of a code that is looked up. */
export interface Known<M> {
  /** SHA-256 of the code, hexadecimal, as the caller says. */
  readonly digest?: string;
  /** The code itself, where nobody else has it, with its digest as it was computed. */
  readonly received?: {
    readonly code: Bytes;
    readonly codeDigest: Bytes;
    /** Gives the module, where it was compiled already. */
    readonly compile?: Effect<M>;
    /** It was just read from a copy in the directory. */
    readonly isCopy?: boolean;
  };
}

interface Located<M> {
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
    const { slot, from, reason } = yield* locate(context, view, known);
    counters[COUNTERS[from]]++;
    const elapsedMs = platform.clock() - startMs;
    return { module: slot.module, from, key: slot.key, reason, elapsedMs };
  } catch (error) {
    counters.failed++;
    throw error;
  }
}

const COUNTERS = { memory: "memoryHits", disk: "diskHits", recompiled: "recompiled", compiled: "compiled" } as const;

function* locate<M>(context: Context<M>, view: Uint8Array, known: Known<M>): Operation<Located<M>> {
  const { memory, flights } = context;
  const { digest, received } = known;
  const slot = digest === undefined ? memory.find(view) : memory.get(digest);
  if (slot && isKept(context, slot)) return { slot, from: "memory" };
  const other = flights.findByCode(slot?.code ?? view);
  const landed = (other && (yield* perform(other.join))) ?? slot;
  if (!landed || !isKept(context, landed)) {
    return yield* fly(context, landed?.code ?? received?.code ?? copyOf(view), known, landed);
  }
  if (digest !== undefined && digest !== landed.digest) throw wrongDigest(digest, landed.digest);
  return { slot: landed, from: "memory", reason: JOINED };
}

/** Tells whether all was done for a module that this cache may do. */
function isKept<M>({ storage }: Context<M>, { isUnkept }: Slot<M>): boolean {
  return !isUnkept || typeof storage === "string";
}

/**
 * Works on a code, and lets those who join have what comes of it.
 *
 * @param slot Its module, where that is there but was not written down.
 */
function* fly<M>(
  context: Context<M>,
  code: Bytes,
  { digest, received }: Known<M>,
  slot?: Slot<M>,
): Operation<Located<M>> {
  const { flights, platform } = context;
  const compile = slot
    ? immediate("compile", () => slot.module)
    : received?.compile ?? (yield* beginEarly(context, code));
  const flight = flights.begin(code);
  let actual: string | undefined;
  try {
    const codeDigest = received?.codeDigest ?? (yield* perform(platform.sha256(code)));
    actual = toHex(codeDigest);
    const isWrong = digest !== undefined && digest !== actual;
    // Only this caller's mistake: where others have joined, the work goes on for them.
    if (isWrong && !flight.isJoined) throw wrongDigest(digest, actual);
    const known = yield* findByDigest(context, code, actual);
    if (!known) flights.announce(flight, actual);
    const isCopy = received?.isCopy;
    const located = known ??
      (yield* makeSlot(context, { code, codeDigest, compile, isCopy, isMade: slot !== undefined }));
    flight.land(located.slot);
    if (isWrong) throw wrongDigest(digest, actual);
    return slot && !known ? { slot: located.slot, from: "memory" } : located;
  } catch (error) {
    flight.fail(error);
    throw error;
  } finally {
    flights.end(flight, actual);
  }
}

/**
 * The step that compiles a code; begun already where no artifact can save the compile, so that it goes on while the code
 * is hashed and looked for. Not where memory or a flight may have the code without showing it: a hit must not compile.
 */
function* beginEarly<M>({ engine, memory, flights }: Context<M>, code: Bytes): Operation<Effect<M>> {
  const compile = compiling(engine, code);
  const mayBeThere = memory.isCrowded(code) || flights.isCrowded(code);
  return keepsCode(engine) && !mayBeThere ? yield* begin(compile) : compile;
}

/** Finds what is there or under way but was crowded out of the index by codes of the same length and sample. */
function* findByDigest<M>(context: Context<M>, code: Bytes, digest: string): Operation<Located<M> | undefined> {
  const { memory, flights } = context;
  const known = memory.get(digest);
  if (known && isKept(context, known)) {
    // Set anew, it is found by its code again.
    const slot = { ...known, code };
    memory.set(slot);
    return { slot, from: "memory" };
  }
  const other = flights.findByDigest(digest);
  const slot = other && (yield* perform(other.join));
  return slot && isKept(context, slot) ? { slot, from: "memory", reason: JOINED } : undefined;
}

const JOINED = "another lookup was making it";

function* makeSlot<M>(
  context: Context<M>,
  work: Omit<Work<M>, "address" | "context"> & { codeDigest: Bytes },
): Operation<Located<M>> {
  const { engine, memory, storage } = context;
  const { codeDigest, ...rest } = work;
  const { code } = rest;
  const { length } = code;
  const address = yield* addressOf(context, codeDigest);
  const { module, ...provenance } = yield* make({ ...rest, context, address });
  if (code.length !== length) throw new TypeError(`Cannot keep code: engine "${engine.id}" transferred it away`);
  const digest = toHex(codeDigest);
  // A synchronous lookup may have been faster: memory gives one module for a code.
  const found = memory.get(digest);
  const slot = found && isKept(context, found)
    ? { ...found, code }
    : { module: found?.module ?? module, code, digest, key: address.key, isUnkept: typeof storage === "string" };
  memory.set(slot);
  return { slot, ...provenance };
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
