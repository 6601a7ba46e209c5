// The first half of the lookup protocol: memory, then another task's work on the same code, then our own.

import { copyOf, toHex } from "./bytes.ts";
import type { Context, Provenance, Resolved } from "./context.ts";
import type { MissReason } from "./counters.ts";
import { begin, immediate, mayWait, type Operation, perform } from "./effect.ts";
import { type Compile, compiling, keepsCode, timed, type TimedCompile } from "./engine/calls.ts";
import { type Address, addressIn, idDigest } from "./disk/key.ts";
import { fromCopy, obtain } from "./obtain.ts";
import type { Slot } from "./memory/memory_tier.ts";
import type { Bytes } from "./platform/platform.ts";

/** Code that nobody else holds, with its computed digest. */
export interface Received<M> {
  /** The code. */
  readonly code: Bytes;
  /** SHA-256 of the code. */
  readonly codeDigest: Bytes;
  /** Returns the module, if it has been compiled already. */
  readonly compile?: Compile<M>;
  /** It has just been read from an entry. */
  readonly isCopy?: boolean;
}

/** What a caller knows of the code it looks up. */
export interface Known<M> {
  /** SHA-256 of the code, hexadecimal, as claimed by the caller. */
  readonly digest?: string;
  /** The code, if the caller has handed it over. */
  readonly received?: Received<M>;
}

interface Found<M> {
  readonly slot: Slot<M>;
  readonly from: Provenance;
  readonly reason?: string;
  readonly miss?: MissReason;
}

/**
 * Looks up code.
 *
 * @param view The code, in the caller's memory; copied before the first wait.
 * @param known What the caller knows of the code.
 * @returns The module and where it came from.
 * @throws {TypeError} When `digest` is not the SHA-256 of the code.
 * @throws {CacheError} When the cache is strict and a fault occurs.
 */
export function* lookup<M>(
  context: Context<M>,
  view: Uint8Array,
  known: Known<M> = {},
): Operation<Resolved<M>> {
  const { engine, platform, counters, teller } = context;
  const startMs = platform.clock();
  try {
    const { slot: { compileMs, module, key }, from, reason, miss } = yield* find(context, view, known);
    const elapsedMs = platform.clock() - startMs;
    counters[COUNTERS[from]]++;
    if (miss) counters.misses[miss]++;
    const isSaved = from === "memory" || from === "remote" || from === "disk" && !keepsCode(engine);
    if (isSaved) counters.savedMs += Math.max(0, compileMs - elapsedMs);
    if (teller.isHeard("lookup")) teller.tell("lookup", { key, from, reason, bytes: view.length, elapsedMs });
    return { module, from, key, reason, elapsedMs };
  } catch (error) {
    counters.failed++;
    throw error;
  }
}

const COUNTERS = {
  memory: "memoryHits",
  disk: "diskHits",
  remote: "remoteHits",
  recompiled: "recompiled",
  compiled: "compiled",
} as const;

function* find<M>(context: Context<M>, view: Uint8Array, known: Known<M>): Operation<Found<M>> {
  const { memory, flights } = context;
  const { digest, received } = known;
  const slot = digest === undefined ? memory.find(view) : memory.get(digest);
  // Twice: a hit must not pay for a generator.
  if (slot && (isKept(context, slot) || (yield* isDone(context, slot)))) return { slot, from: "memory" };
  let landed = slot;
  // Again and again: of those who joined a flight that wrote no entry, one begins another.
  for (let other; (other = flights.find(landed?.code ?? view)) !== undefined;) {
    const joined = yield* perform(other.join);
    if (!joined) break;
    landed = joined;
    if (!(yield* isDone(context, landed))) continue;
    if (digest !== undefined && digest !== landed.digest) throw wrongDigest(digest, landed.digest);
    return { slot: landed, from: "memory", reason: JOINED };
  }
  return yield* fly(context, landed?.code ?? received?.code ?? copyOf(view), known, landed);
}

/** Whether this lookup can do nothing more for a module: its entry is written, or only others can write it. */
function* isDone<M>(context: Context<M>, slot: Slot<M>): Operation<boolean> {
  return isKept(context, slot) || slot.unwritten === "async" && !(yield* perform(mayWait));
}

/** Whether this cache can do nothing more for a module. */
function isKept<M>({ storage }: Context<M>, { unwritten }: Slot<M>): boolean {
  return unwritten === undefined || typeof storage === "string";
}

/**
 * Works on the code, and gives the result to those who join.
 *
 * @param made Its module, if memory has it but its entry has not been written.
 */
function* fly<M>(context: Context<M>, code: Bytes, known: Known<M>, made?: Slot<M>): Operation<Found<M>> {
  const { flights, memory, platform } = context;
  const { digest, received } = known;
  let compile = made ? { ...immediate("compile", () => made.module), took: { ms: made.compileMs } } : received?.compile;
  // A hit must not compile: memory may know the digest.
  const mayBeThere = received !== undefined || memory.mayInherit(code.length);
  if (!mayBeThere) compile ??= yield* compileOf(context, code);
  const flight = flights.begin(code);
  try {
    const codeDigest = received?.codeDigest ?? (yield* perform(platform.sha256(code)));
    const actual = toHex(codeDigest);
    const isWrong = digest !== undefined && digest !== actual;
    // Only this caller's mistake: the work goes on for others who have joined.
    if (isWrong && !flight.isJoined) throw wrongDigest(digest, actual);
    let found = yield* findByDigest(context, code, actual);
    if (!found) {
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
    flights.end(flight);
  }
}

/**
 * Begins to compile code that will be looked up once its digest is known, unless its module is there or under way, or an
 * artifact may save the compile.
 */
export function* compileEarly<M>(context: Context<M>, code: Bytes): Operation<Compile<M> | undefined> {
  const { flights, memory } = context;
  const mayBeThere = memory.mayInherit(code.length) || memory.find(code) || flights.find(code);
  return mayBeThere ? undefined : yield* compileOf(context, code);
}

/** The step that compiles the code. Begun at once if no artifact can save the compile, to run meanwhile. */
function* compileOf<M>({ engine, platform, requireHit }: Context<M>, code: Bytes): Operation<TimedCompile<M>> {
  const compile = timed(compiling(engine, code), platform.clock);
  return keepsCode(engine) && !requireHit ? yield* begin(compile) : compile;
}

/** Finds a module that was inherited, or that a synchronous lookup has made meanwhile. */
function* findByDigest<M>(context: Context<M>, code: Bytes, digest: string): Operation<Found<M> | undefined> {
  const { memory } = context;
  const known = memory.get(digest);
  if (!known || !(yield* isDone(context, known))) return undefined;
  // From now on it is found by its code.
  const slot = { ...known, code };
  memory.set(slot);
  return { slot, from: "memory" };
}

const JOINED = "another lookup was making it";

/** Obtains a module and stores it in memory. If it was made before, the lookup is a hit that had an entry to write. */
function* obtainSlot<M>(
  context: Context<M>,
  { code, codeDigest, compile, isCopy }: Received<M> & { compile: Compile<M> },
  isMade: boolean,
): Operation<Found<M>> {
  const { engine, memory, storage } = context;
  const { length } = code;
  const address = yield* addressOf(context, codeDigest);
  const isHit = isCopy && keepsCode(engine) && typeof storage !== "string";
  const obtained = yield* (isHit ? fromCopy(compile) : obtain({ context, address, code, compile }));
  if (code.length !== length) throw new TypeError(`Cannot keep code: engine "${engine.id}" transferred it away`);
  const { module, from, reason, miss, unwritten, compileMs = compile.took?.ms ?? 0 } = obtained;
  const digest = toHex(codeDigest);
  // A synchronous lookup may have been faster: memory returns one module for the same code.
  const found = memory.get(digest);
  const slot = found && isKept(context, found)
    ? { ...found, code }
    : { module: found?.module ?? module, code, digest, key: address.key, compileMs, unwritten };
  memory.set(slot);
  return isMade ? { slot, from: "memory" } : { slot, from, reason, miss };
}

function wrongDigest(given: string, actual: string): TypeError {
  return new TypeError(`Cannot use digest ${given}: the SHA-256 of the code is ${actual}`);
}

/** Address of the code's entry. */
function* addressOf<M>({ engine, identity, platform }: Context<M>, codeDigest: Bytes): Operation<Address> {
  identity.digest ??= yield* idDigest(platform, engine.id);
  return yield* addressIn(platform, engine.id, codeDigest, identity.digest);
}

/** Name of an entry. */
export function* keyOf<M>(context: Context<M>, view: Uint8Array): Operation<string> {
  return (yield* addressOf(context, yield* perform(context.platform.sha256(copyOf(view))))).key;
}
