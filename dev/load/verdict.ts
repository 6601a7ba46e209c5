// What the long run is judged by: what each process reported of itself, and what was seen on the disk.

import type { Watched } from "./disk_watch.ts";
import type { Report } from "./long_plan.ts";
import { MAX_ENTRY_BYTES } from "./small_modules.ts";
import { medianOf } from "./tally.ts";

/** The reports of a process. */
export interface Reported {
  /** Its runtime. */
  readonly name: string;
  /** In the order of time. */
  readonly reports: readonly Report[];
}

/** How many descriptors more than at first are no leak: runtimes open some of their own when they first need them. */
const SPARE_DESCRIPTORS = 4;

/** How much more memory than early in the run is no leak, and how many bytes on top. */
const MEMORY_RATIO = 1.25;
const SPARE_MEMORY_BYTES = 50_000_000;

/** Caches of a process that write to a directory at once. */
const CACHES = 2;

/** Fewer lookups than this prove nothing. */
const MIN_LOOKUPS = 10_000;

/** Lookups of a process, by the end. */
export function lookupsOf({ reports }: Reported): number {
  return Object.values(reports.at(-1)?.from ?? {}).reduce((sum, count) => sum + count, 0);
}

/** Resident memory in the second quarter of the run and in the last, medians, bytes. */
export function memoryOf({ reports }: Reported): { early: number; late: number } {
  const quarter = Math.floor(reports.length / 4);
  const median = (some: readonly Report[]) => medianOf(some.map(({ rssBytes }) => rssBytes));
  return { early: median(reports.slice(quarter, 2 * quarter)), late: median(reports.slice(-quarter)) };
}

/** What is wrong with the memory of a process. */
export function memoryFaults(reported: Reported): string[] {
  const { early, late } = memoryOf(reported);
  if (late <= MEMORY_RATIO * early + SPARE_MEMORY_BYTES) return [];
  return [`${reported.name} grew from ${megabytes(early)} to ${megabytes(late)} MB`];
}

/** What is wrong with the descriptors of a process; the first report comes when it is warm. */
export function descriptorFaults({ name, reports }: Reported): string[] {
  const [first, last] = [reports[0]?.descriptors, reports.at(-1)?.descriptors];
  if (first === undefined || last === undefined || last <= first + SPARE_DESCRIPTORS) return [];
  return [`${name} had ${first} descriptors open and has ${last}`];
}

/** What is wrong with what the lookups of a process came to. */
export function lookupFaults({ name, reports }: Reported): string[] {
  const { from = {}, warnings = {} } = reports.at(-1) ?? {};
  const faults = ["memory", "disk", "compiled"].filter((where) => !from[where])
    .map((where) => `${name} had nothing from "${where}"`);
  if (from.recompiled) faults.push(`${name} could not use ${from.recompiled} entries`);
  // Where a few entries fill the directory, there may be no room for one more.
  const unexpected = Object.keys(warnings).filter((kind) => !/^LIMIT at \d{1,6}$/.test(kind));
  return [...faults, ...unexpected.map((kind) => `${name} warned of ${kind}`)];
}

/**
 * Most bytes that there may be at once: a prune leaves four fifths of the limit at most, and between prunes each cache adds
 * a twentieth of it, or one entry that is larger.
 */
export function mostAllowed(maxDiskBytes: number, processes: number): number {
  if (maxDiskBytes === 0) return 0;
  return 0.8 * maxDiskBytes + processes * CACHES * Math.max(maxDiskBytes / 20, MAX_ENTRY_BYTES);
}

/** What is wrong with what was seen on the disk. */
export function diskFaults({ maxDiskBytes, mostBytes, looks, prunes }: Watched, processes: number): string[] {
  const most = mostAllowed(maxDiskBytes, processes);
  const faults: string[] = [];
  if (looks < 10) faults.push(`the disk was looked at ${looks} times only`);
  if (mostBytes > most) {
    faults.push(`${mostBytes} bytes were on the disk at once, not ${most} under the limit of ${maxDiskBytes}`);
  }
  if (isSmall(maxDiskBytes) && prunes === 0) faults.push(`nothing was pruned under the limit of ${maxDiskBytes}`);
  return faults;
}

/** What is wrong with the number of all lookups. */
export function countFaults(all: readonly Reported[]): string[] {
  const lookups = all.reduce((sum, reported) => sum + lookupsOf(reported), 0);
  return lookups >= MIN_LOOKUPS ? [] : [`${lookups} lookups are too few to prove anything`];
}

/** Whether a limit is so small that all the entries come to more, several times over. */
function isSmall(maxDiskBytes: number): boolean {
  return maxDiskBytes > 0 && maxDiskBytes <= 4_000_000;
}

/** Bytes in MB, for people. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 2e7 ? 2 : 0);
}
