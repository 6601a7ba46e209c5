// What the command line needs of the system, by modules that all three runtimes have: files, patterns, the runtime's name.

import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { Bytes } from "../platform/platform.ts";

export { parseArgs };

/** Whether something stands at a path. */
export function exists(path: string): boolean {
  return existsSync(path);
}

/**
 * Reads a file.
 *
 * @throws The system's error.
 */
export function contentOf(path: string): Bytes {
  return new Uint8Array(readFileSync(path));
}

/** The paths that a pattern matches, in order. */
export function matching(pattern: string): string[] {
  return globSync(pattern).sort();
}

/** The URL of a path. */
export function urlOf(path: string): string {
  return pathToFileURL(resolve(path)).href;
}

/** Runs a body with an empty folder, which is removed afterwards. */
export async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(`${tmpdir()}/wasm-module-cache-`);
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runtime, version, system and architecture. */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions as Record<string, string | undefined>;
  const name = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${node}`;
  return `${name}, ${process.platform} ${process.arch}`;
}
