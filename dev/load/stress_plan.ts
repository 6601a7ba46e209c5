// What the stress test tells its processes to do, and what they log. Types, and the readings of a log.

/** One lookup. */
export interface Wanted {
  /** Which cache: the slow engine's, or the host engine's on a real module. */
  readonly engine: "slow" | "host";
  /** What is looked up: for the host engine a name of `realModule` and a number that makes it another, as `sqlite 3`. */
  readonly name: string;
  /** Length of the slow engine's artifact, bytes. */
  readonly artifactBytes?: number;
  /** Looked up synchronously. */
  readonly isSync?: boolean;
}

/** What a process is to do. */
export interface StressPlan {
  /** Where entries are. */
  readonly directory: string;
  /** Where it logs. */
  readonly log: string;
  /** How long the slow engine takes, ms. */
  readonly compileMs: number;
  /** Lookups, one after another in a lane; lanes go at once. */
  readonly lanes: readonly (readonly Wanted[])[];
  /** Prunes before all else, as if it was so much later, ms. */
  readonly prunesInMs?: number;
}

/** What a process logs of a lookup. */
export type StressEvent = "lookup" | "compile" | "compiled" | "resolved";

/** A line of the log. */
export interface Logged {
  /** Number of the process. */
  readonly pid: number;
  /** When, ms since 1970. */
  readonly atMs: number;
  /** What. */
  readonly event: StressEvent;
  /** Of which lookup. */
  readonly name: string;
  /** Where the module came from, when it is there. */
  readonly from?: string;
}

/** Reads a log; a line that a kill cut off is left out. */
export function readLog(path: string): Logged[] {
  let text = "";
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return text.split("\n").filter((line) => line.endsWith("}")).map((line) => JSON.parse(line));
}

/** What a process was doing when its log ended: the last event of each of its slow lookups. */
export function lastEvents(log: readonly Logged[], pid: number): StressEvent[] {
  const last = new Map<string, StressEvent>();
  for (const line of log) if (line.pid === pid) last.set(line.name, line.event);
  return [...last.values()];
}
