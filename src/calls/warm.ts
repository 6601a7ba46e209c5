// Warming: makes entries ahead of the lookups that will need them, with all the time that the best artifacts take.

import type { Context, Provenance, Resolved } from "../context.ts";
import { runAsync } from "../effect.ts";
import { Flights } from "../memory/flights.ts";
import { lookup } from "../lookup.ts";
import { MemoryTier } from "../memory/memory_tier.ts";
import type { Bytes } from "../platform/platform.ts";

/** Options of {@linkcode ModuleCache.warm}. */
export interface WarmOptions {
  /**
   * How many codes are worked on at a time. Engines that compile for machines use all processors for one.
   *
   * @default {1}
   */
  concurrency?: number;
  /** Is told of each code that is done, and waited for. What it throws or rejects with ends the warming. */
  onProgress?: (progress: WarmProgress) => void;
}

/** How far a warming is. */
export interface WarmProgress {
  /** Codes done. */
  readonly done: number;
  /** Codes in all. */
  readonly total: number;
  /** Name of the entry of the code just done, as in {@linkcode Resolved}. */
  readonly key: string;
  /** Where its module came from: `"disk"` where the entry was as good as it can be. */
  readonly from: Provenance;
  /** Time that it took, ms. */
  readonly elapsedMs: number;
}

/** Makes the best entries for codes; the first failure ends it, when what is under way is done. */
export async function warm<M>(
  context: Context<M>,
  codes: readonly Bytes[],
  { concurrency = 1, onProgress }: WarmOptions,
): Promise<void> {
  // One for all, and over for all when one of them throws.
  const left = (function* () {
    yield* codes;
  })();
  let done = 0;
  const work = async () => {
    for (const code of left) {
      const { key, from, elapsedMs } = await warmOne(context, code);
      done++;
      await onProgress?.({ done, total: codes.length, key, from, elapsedMs });
    }
  };
  const workers = Array.from({ length: Math.min(concurrency, codes.length) }, work);
  const failed = (await Promise.allSettled(workers)).find(({ status }) => status === "rejected");
  if (failed) throw (failed as PromiseRejectedResult).reason;
}

/** Looks past memory, so that the entry is seen to; the module is in memory after. */
async function warmOne<M>(context: Context<M>, code: Bytes): Promise<Resolved<M>> {
  const { engine, memory, platform, storage } = context;
  const alone = new MemoryTier<M>({ maxEntries: 1, maxBytes: Infinity }, platform.equal);
  const thorough = {
    ...context,
    engine: engine.thorough ?? engine,
    memory: alone,
    flights: new Flights<M>(platform.equal),
  };
  const resolved = await runAsync(lookup(thorough, code));
  if (typeof storage !== "string") await storage.behind.settleAll(resolved.key);
  const slot = alone.find(code);
  if (slot) memory.set(slot);
  return resolved;
}
