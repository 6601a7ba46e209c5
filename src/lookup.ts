// The first half of the lookup protocol: memory, then another task's work on the same code, then our own.

import { copyOf } from "./code.ts";
import type { Context, Provenance, Resolved } from "./context.ts";
import type { Address } from "./disk_tier.ts";
import { begin, type Operation, perform } from "./effect.ts";
import { compiling, keepsCode } from "./engine/calls.ts";
import type { Flight } from "./flights.ts";
import { engineFolder, entryPath, keyMaterial, toHex } from "./key.ts";
import { make } from "./make.ts";
import type { Slot } from "./memory_tier.ts";
import type { Bytes } from "./platform/platform.ts";

interface Located<M> {
  readonly slot: Slot<M>;
  readonly from: Provenance;
  readonly reason?: string;
}

/**
 * Looks a code up.
 *
 * @param view The code where the caller has it; copied before the first wait.
 * @param digest SHA-256 of the code, hexadecimal, where the caller knows it.
 * @returns The module and where it came from.
 * @throws {TypeError} When `digest` is not the code's.
 * @throws {CacheError} When the cache is strict and has a fault.
 */
export function* lookup<M>(
  context: Context<M>,
  view: Uint8Array,
  digest: string | undefined,
): Operation<Resolved<M>> {
  const { platform, counters } = context;
  const startMs = platform.clock();
  try {
    const { slot, from, reason } = yield* locate(context, view, digest);
    counters[from]++;
    const elapsedMs = platform.clock() - startMs;
    return { module: slot.module, from, key: slot.key, reason, elapsedMs };
  } catch (error) {
    counters.failed++;
    throw error;
  }
}

function* locate<M>(context: Context<M>, view: Uint8Array, digest: string | undefined): Operation<Located<M>> {
  const { memory, flights } = context;
  const slot = digest === undefined ? memory.find(view) : memory.get(digest);
  if (slot) return { slot, from: "memory" };
  const other = flights.findByCode(view);
  const landing = other && (yield* perform(other.join));
  if (landing === "abandoned") return yield* locate(context, other!.code, digest);
  if (landing) return joined(landing, digest);
  return yield* fly(context, flights.begin(copyOf(view)), digest);
}

/** Works on a code, and lets those who join have what comes of it. */
function* fly<M>(context: Context<M>, flight: Flight<M>, digest: string | undefined): Operation<Located<M>> {
  const { engine, memory, flights, platform } = context;
  let actual: string | undefined;
  try {
    let compile = compiling(engine, flight.code);
    // Nothing on the disk can save this compile: it goes on while the code is hashed and looked for.
    if (keepsCode(engine)) compile = yield* begin(compile);
    const codeDigest = yield* perform(platform.sha256(flight.code));
    actual = toHex(codeDigest);
    if (digest !== undefined && digest !== actual) {
      // This caller's own mistake: those who joined look up anew.
      flight.abandon();
      throw wrongDigest(digest, actual);
    }
    const twin = memory.get(actual) ?? (yield* joinByDigest(context, actual));
    if (twin) return joined(twin, digest);
    flights.announce(flight, actual);
    const address = yield* addressOf(context, codeDigest);
    const { module, ...provenance } = yield* make({ context, code: flight.code, address, compile });
    const slot = { module, code: flight.code, digest: actual, key: address.key };
    memory.set(slot);
    flight.land(slot);
    return { slot, ...provenance };
  } catch (error) {
    flight.fail(error);
    throw error;
  } finally {
    flights.end(flight, actual);
  }
}

/** Finds equal code under way that the sample did not: crafted codes can crowd it out. */
function* joinByDigest<M>(context: Context<M>, digest: string): Operation<Slot<M> | undefined> {
  const other = context.flights.findByDigest(digest);
  const landing = other && (yield* perform(other.join));
  return landing === "abandoned" ? undefined : landing;
}

function joined<M>(slot: Slot<M>, digest: string | undefined): Located<M> {
  if (digest !== undefined && digest !== slot.digest) throw wrongDigest(digest, slot.digest);
  return { slot, from: "memory", reason: "another lookup was making it" };
}

function wrongDigest(given: string, actual: string): TypeError {
  return new TypeError(`Cannot use digest ${given}: the SHA-256 of the code is ${actual}`);
}

/** Where the entry of a code is. */
function* addressOf<M>(context: Context<M>, codeDigest: Bytes): Operation<Address> {
  const engineDigest = yield* engineDigestOf(context);
  const key = toHex(yield* perform(context.platform.sha256(keyMaterial(codeDigest, engineDigest))));
  return { key, path: entryPath(yield* folderOf(context), key), codeDigest, engineDigest };
}

/** Name of an entry. */
export function* keyOf<M>(context: Context<M>, view: Uint8Array): Operation<string> {
  return (yield* addressOf(context, yield* perform(context.platform.sha256(copyOf(view))))).key;
}

/** Folder of the engine's entries. */
export function* folderOf<M>(context: Context<M>): Operation<string> {
  return engineFolder(context.engine.id, yield* engineDigestOf(context));
}

function* engineDigestOf<M>({ engine, identity, platform }: Context<M>): Operation<Bytes> {
  return identity.digest ??= yield* perform(platform.sha256(new TextEncoder().encode(engine.id)));
}
