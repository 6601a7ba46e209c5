// Work in the background: remembers what a lookup left undone, and when the process ends, or has run for a while, hands
// it to another process. Knows no engine.

import type { EntryPlace } from "../engine/engine.ts";
import { atEnd } from "../platform/environment.ts";
import { clock, letEnd, setTimer, type Timer } from "../platform/globals.ts";
import { mark, tellStart, unmark } from "./attempts.ts";
import type { EntryOrder, Target } from "./orders.ts";

/** How one kind of work is handed over. */
export interface Kind<O extends EntryOrder> {
  /**
   * Starts the process that does it.
   *
   * @param folder For that process; nobody else's.
   */
  start(orders: readonly O[], folder: string): void;
}

/** Something left undone. */
export interface Job<O extends EntryOrder> {
  /** Where its entry goes. */
  readonly place: EntryPlace;
  /** How many bytes of code are kept for it. */
  readonly bytes: number;
  /** Its kind. */
  readonly kind: Kind<O>;
  /** Makes the order, at the end; `undefined` if nothing has to be done, or was tried in vain before. */
  order(target: Target): O | undefined;
}

interface Remembered extends Omit<Job<EntryOrder>, "place"> {
  readonly target: Target;
}

/** How long a process runs before this begins, ms: servers are killed, and never end by themselves. */
const AFTER_MS = 10_000;

/** How long this may delay the end of the process, ms; an order begun is finished. */
const MAX_MS = 30;

/** How many bytes of code are remembered at a time, where the cache may keep so much in memory. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The jobs of this process, by directory and key, for all engines: a process ends only once. */
const directories = new Map<string, Map<string, Remembered>>();
let bytes = 0;
let timer: Timer | undefined;
let isHooked = false;

/** Remembers a job until the process ends, or has run for a while. */
export function later<O extends EntryOrder>({ place, ...job }: Job<O>): void {
  const { prepare, ...target } = place;
  const { maxMemoryBytes, secret } = target.options;
  // A `CryptoKey` cannot be passed to another process.
  const isTellable = secret === undefined || secret instanceof Uint8Array;
  const added = job.bytes - (directories.get(target.root)?.get(target.key)?.bytes ?? 0);
  if (bytes + added > Math.min(MAX_BYTES, maxMemoryBytes) || !isTellable) return;
  const jobs = directories.get(target.root) ?? begin(target.root, prepare);
  if (!jobs) return;
  jobs.set(target.key, { ...job, target } as unknown as Remembered);
  bytes += added;
  if (!isHooked) atEnd(settle);
  isHooked = true;
  timer ??= setTimer(settle, AFTER_MS);
  letEnd(timer);
}

/** Creates the folders during the lookup. */
function begin(root: string, prepare: () => void): Map<string, Remembered> | undefined {
  try {
    prepare();
    tellStart(root);
  } catch {
    return undefined;
  }
  const jobs = new Map<string, Remembered>();
  directories.set(root, jobs);
  return jobs;
}

/** Works through what is remembered, within the time allowed. */
function settle(): void {
  timer = undefined;
  const untilMs = clock() + MAX_MS;
  const all = [...directories];
  directories.clear();
  bytes = 0;
  for (const [root, jobs] of all) {
    try {
      settleIn(root, [...jobs.values()], untilMs);
    } catch {
      // No room, or the directory is gone: a later process tries again.
    }
  }
}

function settleIn(root: string, jobs: readonly Remembered[], untilMs: number): void {
  tellStart(root);
  if (!mark(root)) return;
  let isStarted = false;
  try {
    // One process works on a directory: what another kind left undone waits for a later one.
    const { kind } = jobs[0]!;
    const orders = ordersOf(jobs.filter((job) => job.kind === kind), untilMs);
    if (orders.length > 0) kind.start(orders, `${root}/tmp`);
    isStarted = orders.length > 0;
  } finally {
    if (!isStarted) unmark(root);
  }
}

function ordersOf(jobs: readonly Remembered[], untilMs: number): EntryOrder[] {
  const orders: EntryOrder[] = [];
  for (const job of jobs) {
    const order = orders.length === 0 || clock() < untilMs ? job.order(job.target) : undefined;
    if (order) orders.push(order);
  }
  return orders;
}
