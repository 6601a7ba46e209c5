/**
 * Stand-in for `@std/fs` where the JSR registry does not answer: the functions that this tree's tools use. Not published.
 *
 * @module
 */

/** A file that {@linkcode walk} came by. */
export interface WalkEntry extends Deno.DirEntry {
  /** Path, beginning with the one that the walk began at. */
  path: string;
}

/** What {@linkcode walk} leaves out. */
export interface WalkOptions {
  /** Whether to give directories. */
  includeDirs?: boolean;
  /** Endings that a file must have one of. */
  exts?: string[];
  /** What no path may match. */
  skip?: RegExp[];
}

/** Goes through all files below a directory. */
export async function* walk(root: string, options: WalkOptions = {}): AsyncIterableIterator<WalkEntry> {
  const { includeDirs = true, exts, skip = [] } = options;
  for await (const entry of Deno.readDir(root)) {
    const path = `${root}/${entry.name}`.replace(/^\.\//, "");
    if (skip.some((pattern) => pattern.test(path))) continue;
    const isWanted = entry.isDirectory ? includeDirs && !exts : !exts || exts.some((ending) => path.endsWith(ending));
    if (isWanted) yield { ...entry, path };
    if (entry.isDirectory) yield* walk(path, options);
  }
}
