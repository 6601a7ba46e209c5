// Files and folders as they were at one time, to be compared, and to be made again elsewhere.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { systemCode } from "../../src/errors.ts";
import { ageTo } from "../_age.ts";
import { withoutTime } from "../_tools.ts";
import { roleOf } from "./_watch.ts";

/** Files and folders, to be made again elsewhere. */
export class Snapshot {
  readonly files = new Map<string, { bytes: Uint8Array; modified: Date }>();
  readonly #folders: string[] = [];

  /** Reads a directory; one that is missing has nothing in it. */
  constructor(directory: string) {
    for (const path of namesBelow(directory)) {
      const stat = statSync(`${directory}/${path}`);
      if (stat.isDirectory()) this.#folders.push(path);
      // Not sockets: those that stand there are locks of processes.
      else if (stat.isFile()) {
        this.files.set(path, { bytes: readFileSync(`${directory}/${path}`), modified: stat.mtime });
      }
    }
  }

  entries(): [string, { bytes: Uint8Array; modified: Date }][] {
    return [...this.files].filter(([path]) => roleOf(`/${path}`) === "entry");
  }

  restore(directory: string): void {
    if (this.#folders.length > 0) mkdirSync(directory, { mode: 0o700 });
    for (const path of this.#folders) mkdirSync(`${directory}/${path}`, { mode: 0o700 });
    for (const [path, { bytes, modified }] of this.files) {
      writeFileSync(`${directory}/${path}`, bytes, { mode: 0o600 });
      // To the ms: by these times it is decided which entry goes first.
      ageTo(`${directory}/${path}`, modified.getTime());
    }
  }
}

/** Paths of all that is below a directory, in order; none where it is missing. */
export function namesBelow(directory: string): string[] {
  try {
    return (readdirSync(directory, { recursive: true }) as string[]).sort();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return [];
  }
}

/** The bytes of a file; `undefined` where it cannot be read. */
export function read(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** Whether a file has these bytes in a snapshot, or is missing like them; for entries, but for the time they tell. */
export function isSame(given: Uint8Array | undefined, { files }: Snapshot, path: string): boolean {
  const known = files.get(path)?.bytes;
  const isEntry = roleOf(`/${path}`) === "entry";
  const [bytes, wanted] = [given, known].map((each) => each && isEntry ? withoutTime(each) : each);
  return bytes?.length === wanted?.length && (bytes?.every((byte, at) => byte === wanted![at]) ?? true);
}
