// Between modules and artifacts: what a module is obtained from, and the calls to the engine, whose faults cost an entry,
// never the module.

import type { Address } from "./disk/key.ts";
import { copyOf, describe, isUint8Array } from "./bytes.ts";
import type { Context, Provenance } from "./context.ts";
import type { MissReason } from "./counters.ts";
import { CannotWait, type Effect, type Operation, perform, runSync } from "./effect.ts";
import { type Compile, serializing } from "./engine/calls.ts";
import type { EntryPlace } from "./engine/engine.ts";
import { CacheError } from "./errors.ts";
import type { Slot } from "./memory/memory_tier.ts";
import type { Bytes } from "./platform/platform.ts";

/** What a module is obtained from. */
export interface Work<M> {
  /** The cache. */
  readonly context: Context<M>;
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

/** Why the disk gave nothing. */
export function missed(miss: MissReason, reason: string, but: Partial<Miss> = {}): Miss {
  return { from: "compiled", miss, reason, mayWrite: true, ...but };
}

/** A synchronous run had to skip the disk. */
export const HELD: Partial<Miss> = { mayWrite: false, unwritten: "async" };

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

/**
 * Has the engine read a module back.
 *
 * @param step The call.
 * @param from Where its artifact came from.
 * @param path Where that is, for people.
 */
export function* deserialized<M>(
  { context: { engine, report } }: Work<M>,
  step: Effect<M | undefined>,
  from: "disk" | "remote",
  path: string,
): Operation<Obtained<M> | Miss> {
  const rejected = missed("rejected", "the engine did not take the entry", { from: "recompiled" });
  try {
    const module = yield* perform(step);
    return module === undefined ? rejected : { module, from };
  } catch (cause) {
    if (CannotWait.is(cause)) return missed("busy", cause.message, HELD);
    report(
      new CacheError("SERIALIZE", `Cannot deserialize entry of engine "${engine.id}": it failed`, { path, cause }),
    );
    return rejected;
  }
}

/** Has the engine serialize a module. */
export function* serialize<M>(
  { code, context: { engine, report } }: Work<M>,
  module: M,
  place: EntryPlace | undefined,
): Operation<Bytes | undefined> {
  try {
    const artifact = yield* perform(serializing(engine, module, code, place));
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
export function tookOf({ compile }: Pick<Work<unknown>, "compile">): number {
  return compile.took?.ms ?? 0;
}

/** What an engine needs to write the entry later; `undefined` if there is no directory. */
export function placeOf<M>(
  { address: { key }, context: { storage } }: Work<M>,
  compileMs: number,
): EntryPlace | undefined {
  if (typeof storage === "string") return undefined;
  const { directory, options } = storage;
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
