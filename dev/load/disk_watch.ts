// Watches how much is on the disk, as often as it can, while processes of the long run go through their phases.

import { bytesAtOnce, prunedIn } from "./entries.ts";
import type { Phase } from "./long_plan.ts";

/** Pause after each look, of the time that the look took: the processes are to have the machine too. */
const PAUSE = 1.5;

/** What was seen under a limit. */
export interface Watched {
  /** The limit, bytes. */
  readonly maxDiskBytes: number;
  /** Where. */
  readonly directory: string;
  /** Most bytes that were there at once. */
  mostBytes: number;
  /** Most files that were there at once. */
  mostFiles: number;
  /** Looks. */
  looks: number;
  /** Looks that found another stamp than the one before: it was pruned in between. */
  prunes: number;
}

/**
 * Watches until told to stop.
 *
 * @param phases The phases that begin now.
 * @returns What was seen under each limit; the phases may come to one several times.
 */
export async function watch(phases: readonly Phase[], stopped: Promise<unknown>): Promise<Watched[]> {
  const byDirectory = new Map(phases.map(({ directory, maxDiskBytes }): [string, Watched] => [
    directory,
    { maxDiskBytes, directory, mostBytes: 0, mostFiles: 0, looks: 0, prunes: 0 },
  ]));
  let isGoing = true;
  stopped.finally(() => isGoing = false);
  let endMs = performance.now();
  for (const { directory, lengthMs } of phases) {
    endMs += lengthMs;
    while (isGoing && performance.now() < endMs) await look(byDirectory.get(directory)!);
  }
  // Who is late still writes to the last of them.
  await stopped;
  for (const watched of byDirectory.values()) await look(watched);
  return [...byDirectory.values()];
}

async function look(watched: Watched): Promise<void> {
  const startMs = performance.now();
  const stamp = prunedIn(watched.directory);
  const { bytes, files } = bytesAtOnce(watched.directory);
  watched.looks++;
  watched.mostBytes = Math.max(watched.mostBytes, bytes);
  watched.mostFiles = Math.max(watched.mostFiles, files);
  if (prunedIn(watched.directory) !== stamp) watched.prunes++;
  await new Promise((resolve) => setTimeout(resolve, PAUSE * (performance.now() - startMs)));
}
