// What the long run tells its processes to do, and what they report. Types only.

/** A time under one limit. */
export interface Phase {
  /** Where entries are. */
  readonly directory: string;
  /** Bytes that they may take. */
  readonly maxDiskBytes: number;
  /** How long it lasts, ms. */
  readonly lengthMs: number;
}

/** What a process is to do. */
export interface LongPlan {
  /** One after another. */
  readonly phases: readonly Phase[];
  /** Which of the processes it is: chooses lookups and limits of memory. */
  readonly worker: number;
  /** Time between two reports, ms. */
  readonly reportMs: number;
}

/** What a process says of itself, at a moment when it looks nothing up and writes nothing. */
export interface Report {
  /** Time since it went, ms. */
  readonly atMs: number;
  /** Resident memory, bytes. */
  readonly rssBytes: number;
  /** Memory of the script's objects, bytes. */
  readonly heapBytes: number;
  /** Open descriptors; `undefined` where they cannot be counted. */
  readonly descriptors?: number;
  /** Lookups so far, by provenance. */
  readonly from: Readonly<Record<string, number>>;
  /** Entries written so far. */
  readonly writes: number;
  /** Warnings so far, by code and the limit of the phase. */
  readonly warnings: Readonly<Record<string, number>>;
}
