// Programs that are started with `register`, for the tests of its parts.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { type Ended, ROOT, runScript, runtimes, thisRuntime } from "./_tools.ts";

/** Flag that loads a module before the program. */
export const PRELOAD: string = thisRuntime().startsWith("Node") ? "--import" : "--preload";

/** A statement that declares `CODE`: a module of 8 KB, worth a lookup in {@linkcode registered} programs. It exports a function `f` that gives 7. */
export const DECLARE_CODE = `const CODE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0],
  ...[7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 0x41, 7, 0x0b, 0, 0x85, 0x40, 1, 97, ...new Uint8Array(8195)],
]);`;

/** What a program printed, and its lookups: where each module came from. */
export interface Served extends Ended {
  readonly from: string[];
}

/**
 * Runs texts as files of one folder, the first one with `register` before it.
 *
 * @param texts By file name; `CODE` and `unregister` stay theirs to declare.
 * @param env Variables; lookups are traced unless it says otherwise.
 * @param flags More flags of the runtime.
 */
export async function registered(
  texts: Record<string, string | Uint8Array>,
  env: Record<string, string> = {},
  { flags = [], command = runtimes()[thisRuntime()]! }: { flags?: string[]; command?: string[] } = {},
): Promise<Served> {
  const folder = `${ROOT}/.cache/register-${crypto.randomUUID()}`;
  mkdirSync(folder, { recursive: true });
  try {
    for (const [name, text] of Object.entries(texts)) writeFileSync(`${folder}/${name}`, text);
    const [first] = Object.keys(texts);
    const ended = await runScript([...command, ...flags, PRELOAD, `${ROOT}/register.ts`], `${folder}/${first}`, [], {
      WASM_CACHE_ENGINE: "host",
      WASM_CACHE_LOG: "trace",
      WASM_CACHE_MIN_BYTES: "4096",
      ...env,
    });
    const lines = [...ended.stderr.matchAll(/^wasm-module-cache: (\w+) [0-9a-f]{64} \d+ bytes [\d.]+ ms$/gm)];
    return { ...ended, from: lines.map(([, from]) => from!) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
