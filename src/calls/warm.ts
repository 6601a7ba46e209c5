// Warming: makes the best entries ahead of the lookups that need them, however long that takes.

import { behind, type Context, type Provenance, type Resolved } from "../context.ts";
import { addCounters, zeroCounters } from "../counters.ts";
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
  /** Ends the call, which then rejects with the signal's reason. A compile under way is finished first. */
  signal?: AbortSignal;
}

/** Progress of `warm`. */
export interface WarmProgress {
  /** Modules done. */
  readonly done: number;
  /** Modules in all. */
  readonly total: number;
  /** The URL that was given; absent for bytes. */
  readonly url?: string;
  /** Name of the entry just done, as in {@linkcode Resolved}. */
  readonly key: string;
  /** Where its module came from: `"disk"` if the entry was already as good as it can be. */
  readonly from: Provenance;
  /** Whether there is an entry now: engines make none for some modules, and a directory may be full. */
  readonly stored: boolean;
  /** Duration, ms. */
  readonly elapsedMs: number;
}

/** Gives what looks up URLs in a cache. */
export type LoaderOf<M> = (
  context: Context<M>,
) => Promise<{ load(url: URL, options: { signal?: AbortSignal }): Promise<Resolved<M>> }>;

/** Makes the best entries. The first failure ends it, once the work under way is done. */
export async function warm<M>(
  context: Context<M>,
  sources: readonly (Bytes | URL)[],
  { concurrency = 1, onProgress, signal }: WarmOptions,
  loaderOf: LoaderOf<M>,
): Promise<void> {
  const { clock } = context.platform;
  let done = 0;
  await allAtOnce(sources, Math.min(concurrency, sources.length), async (source) => {
    signal?.throwIfAborted();
    const startMs = clock();
    const { key, from, stored } = await warmOne(
      context,
      async (alone) =>
        source instanceof URL
          ? await (await loaderOf(alone)).load(source, { signal })
          : await runAsync(lookup(alone, source)),
    );
    done++;
    const url = source instanceof URL ? source.href : undefined;
    await onProgress?.({ done, total: sources.length, url, key, from, stored, elapsedMs: clock() - startMs });
  });
}

/** Bypasses memory, so that the entry is made; afterwards the module is in memory. */
async function warmOne<M>(
  context: Context<M>,
  look: (alone: Context<M>) => Promise<Resolved<M>>,
): Promise<Resolved<M> & { stored: boolean }> {
  const { counters, engine, memory, platform } = context;
  const own = zeroCounters();
  const alone = new MemoryTier<M>({ maxEntries: 1, maxBytes: Infinity }, platform.equal);
  const resolved = await look({
    ...context,
    engine: engine.thorough ?? engine,
    memory: alone,
    counters: own,
    flights: new Flights<M>(platform.equal),
    offersHits: true,
  });
  await behind(context, (writes) => writes.settleAll());
  addCounters(counters, own);
  const slot = alone.latest;
  if (slot) memory.set(slot);
  return { ...resolved, stored: resolved.from === "disk" || own.writes > 0 };
}
