// What the tests of `disk/` share: small entries, their ages, and the time of the last prune.

import { ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { age as makeOld } from "../_age.ts";
import { bytes, entriesIn, entryBytes, TextEngine, type TextModule } from "../_tools.ts";

/** Seconds of an hour. */
export const HOUR_S = 3600;

/** Length of the entry of a code of one character, bytes. */
export const ENTRY_BYTES = entryBytes("artifact of x");

/** Makes a file look as if it was last used then, and left alone since. */
export function age(path: string, seconds: number): void {
  makeOld(path, seconds * 1000);
}

/** Writes an entry for each letter with an engine of its own; gives their paths, the first the longest unused. */
export async function fill(directory: string, letters: string, engine = new TextEngine()): Promise<string[]> {
  const cache = new ModuleCache({ engine, directory });
  const paths: string[] = [];
  for (const [i, letter] of [...letters].entries()) {
    const { key } = await cache.resolve(bytes(letter));
    paths.push(entriesIn(directory).find((path) => path.endsWith(key.slice(2)))!);
    age(paths[i]!, (letters.length - i) * 60);
  }
  return paths;
}

export function small(directory: string, options: ModuleCacheOptions<TextModule> = {}): ModuleCache<TextModule> {
  return new ModuleCache({ engine: new TextEngine(), directory, maxDiskBytes: 10 * ENTRY_BYTES, ...options });
}

/** Makes files with the names and lengths of entries, last used one after another, an hour ago. */
export function many(directory: string, count: number): void {
  const folder = `${directory}/v1/text-1-0123456789abcdef/00`;
  mkdirSync(folder, { recursive: true });
  mkdirSync(`${directory}/v1/tmp`, { recursive: true });
  mkdirSync(`${directory}/v1/locks`, { recursive: true });
  for (let i = 0; i < count; i++) {
    const path = `${folder}/${i.toString(16).padStart(62, "0")}`;
    writeFileSync(path, new Uint8Array(ENTRY_BYTES));
    age(path, HOUR_S + count - i);
  }
}

/** Says that the last prune was so long ago. */
export function pruned(directory: string, seconds: number): void {
  const path = `${directory}/v1/pruned`;
  const at = new Date(Date.now() - seconds * 1000);
  writeFileSync(path, "");
  utimesSync(path, at, at);
}

/** Bytes of all entries. */
export function bytesIn(directory: string): number {
  return entriesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0);
}

/** Runs a body as if it was so much later. */
export async function later<T>(seconds: number, body: () => Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => now() + seconds * 1000;
  try {
    return await body();
  } finally {
    Date.now = now;
  }
}
