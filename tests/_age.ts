// Files that look as if nothing had happened to them for a while. Nobody can set their ctime: the runtime's own calls are made
// to tell it as old, for as long as it stays what it was.

import { lstatSync, utimesSync } from "node:fs";
import process from "node:process";

/** ctime when a file was made to look old, by path. */
const aged = new Map<string, number>();

/**
 * Makes a file look as if it was last used and last changed then.
 *
 * @param ageMs How long ago.
 */
export function age(path: string, ageMs: number): void {
  ageTo(path, Date.now() - ageMs);
}

/** The same, to a time, ms since 1970. */
export function ageTo(path: string, timeMs: number): void {
  restore(path, timeMs);
  aged.set(path.replaceAll("\\", "/"), ctimeOf(lstatSync(path)));
}

/** Gives a file a time, as who restores it from an archive does: it changes by that. */
export function restore(path: string, timeMs: number): void {
  utimesSync(path, new Date(timeMs), new Date(timeMs));
  aged.delete(path.replaceAll("\\", "/"));
}

interface Stats {
  ctimeMs?: number;
  mtimeMs?: number;
  ctime: Date | null;
  mtime: Date | null;
}

function ctimeOf({ ctime }: Stats): number {
  return ctime!.getTime();
}

/** What the system says, or what {@linkcode age} does. */
function told<T extends Stats | undefined>(path: unknown, stats: T): T {
  if (typeof path !== "string" || !stats || aged.get(path) !== ctimeOf(stats)) return stats;
  const { mtime, mtimeMs } = stats;
  // In place: the kind of a file is told by methods.
  return Object.assign(stats, mtimeMs === undefined ? { ctime: mtime } : { ctime: mtime, ctimeMs: mtimeMs });
}

type Callable = (...given: unknown[]) => unknown;

function replace(owner: object, name: string, by: (original: Callable) => Callable): void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, name)!;
  Object.defineProperty(owner, name, { ...descriptor, value: by(descriptor.value) });
}

const { Deno: deno } = globalThis as unknown as { Deno?: object };
const owner = deno ?? process.getBuiltinModule("node:fs");

replace(owner, "lstatSync", (original) => (path, ...given) => told(path, original(path, ...given) as Stats));
replace(
  owner,
  "lstat",
  (original) =>
    deno ? async (path, ...given) => told(path, await original(path, ...given) as Stats) : (path, ...given) => {
      const done = given.pop() as (error: unknown, stats?: Stats) => void;
      original(path, ...given, (error: unknown, stats: Stats) => error ? done(error) : done(null, told(path, stats)));
    },
);
