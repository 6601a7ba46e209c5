// Warming: makes the best entries ahead of the lookups that need them, however long that takes.

import type { Context, Provenance, Resolved } from "../context.ts";
import { allAtOnce, runAsync } from "../effect.ts";
import { Flights } from "../memory/flights.ts";
import { lookup } from "../lookup.ts";
import { MemoryTier } from "../memory/memory_tier.ts";
import type { Bytes } from "../platform/platform.ts";

/** Options of {@linkcode ModuleCache.warm}. */
export interface WarmOptions {
  /**
   * How many modules are worked on at a time. Engines that make machine code use all processors for one.
   *
   * @default {1}
   */
  concurrency?: number;
  /** Called after each module, and awaited. If it throws or rejects, `warm` ends with that error. */
  onProgress?: (progress: WarmProgress) => void;
}

/** Progress of `warm`. */
export interface WarmProgress {
  /** Modules done. */
  readonly done: number;
  /** Modules in all. */
  readonly total: number;
  /** Name of the entry just done, as in {@linkcode Resolved}. */
  readonly key: string;
  /** Where its module came from: `"disk"` if the entry was already as good as it can be. */
  readonly from: Provenance;
  /** Duration, ms. */
  readonly elapsedMs: number;
}

/** Makes the best entries. The first failure ends it, once the work under way is done. */
export async function warm<M>(
  context: Context<M>,
  codes: readonly Bytes[],
  { concurrency = 1, onProgress }: WarmOptions,
): Promise<void> {
  let done = 0;
  await allAtOnce(codes, Math.min(concurrency, codes.length), async (code) => {
    const { key, from, elapsedMs } = await warmOne(context, code);
    done++;
    await onProgress?.({ done, total: codes.length, key, from, elapsedMs });
  });
}

/** Bypasses memory, so that the entry is made; afterwards the module is in memory. */
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
