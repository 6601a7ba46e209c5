// Faults: the lookups that they happen to, each with the directory that it finds. Knows nothing of faults.

import { type Engine, hostEngine, ModuleCache, type Provenance } from "@wasm/module-cache";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { age } from "../_age.ts";
import { bytes, EMPTY_MODULE, entriesIn, onlyEntry, TextEngine, type TextModule } from "../_tools.ts";

/** A lookup, and what it finds. */
export interface Scenario<M> {
  readonly title: string;
  readonly engine: () => Engine<M>;
  readonly code: Uint8Array<ArrayBuffer>;
  readonly isRight: (module: M) => boolean;
  /** Where the module comes from without any fault. */
  readonly from: Provenance;
  /** What it warns of without any fault. */
  readonly warns?: "CORRUPT";
  readonly maxDiskBytes?: number;
  /** Fills the directory; it is missing where this is. */
  readonly prepare?: (directory: string) => void | Promise<void>;
}

/** A day. */
export const DAY_MS = 86_400_000;
/** A module that is not empty. */
const OTHER_MODULE = Uint8Array.of(...EMPTY_MODULE, 0, 2, 1, 118);

function nativeEngine(): Engine<TextModule> {
  return Object.assign(new TextEngine("native-1"), { native: true });
}

/** Writes entries of these codes. */
export function fill(directory: string, names: readonly string[], engine: Engine<TextModule> = new TextEngine()): void {
  const cache = new ModuleCache({ engine, directory, strict: true });
  for (const name of names) cache.resolveSync(bytes(name));
}

async function fillHost(directory: string, codes: readonly Uint8Array[]): Promise<void> {
  const cache = new ModuleCache({ directory, strict: true });
  for (const code of codes) cache.resolveSync(code);
  await cache.flush();
}

function fillDamaged(directory: string): void {
  fill(directory, ["hello"]);
  const path = onlyEntry(directory);
  writeFileSync(path, readFileSync(path).map((byte, at) => at === 50 ? byte ^ 1 : byte));
  fill(directory, ["other"]);
}

function fillLongAgo(directory: string, names: readonly string[]): void {
  fill(directory, names);
  entriesIn(directory).forEach((path, i) => age(path, (2 + i) * DAY_MS));
}

/** Work of every kind for a prune: old entries, one from the future, empty folders, what a dead writer left. */
function fillUp(directory: string): void {
  fillLongAgo(directory, ["old 1", "old 2"]);
  fill(directory, ["other"]);
  const other = entriesIn(directory).find((path) => statSync(path).mtimeMs > Date.now() - DAY_MS)!;
  age(other, -2 * DAY_MS);
  mkdirSync(`${directory}/v1/gone-0123456789abcdef/00`, { recursive: true });
  const left = `${directory}/v1/tmp/1-01234567-89ab-cdef-0123-456789abcdef`;
  writeFileSync(left, "left by a dead writer");
  age(left, 2 * DAY_MS);
}

const artifact = {
  engine: (): Engine<TextModule> => new TextEngine(),
  code: bytes("hello"),
  isRight: ({ text }: TextModule) => text === "hello",
};
const host = {
  engine: hostEngine,
  code: EMPTY_MODULE,
  isRight: (module: unknown) => module instanceof WebAssembly.Module,
};

/** Lookups of every kind. */
export const SCENARIOS: readonly (Scenario<TextModule> | Scenario<WebAssembly.Module>)[] = [
  { ...artifact, title: "a cold lookup without a directory", from: "compiled" },
  {
    ...artifact,
    title: "a cold lookup",
    from: "compiled",
    prepare: (directory) => fill(directory, ["other"]),
  },
  {
    ...artifact,
    title: "a hit",
    from: "disk",
    prepare: (directory) => fill(directory, ["hello", "other"]),
  },
  {
    ...artifact,
    title: "a hit on what was not used for long",
    from: "disk",
    prepare: (directory) => fillLongAgo(directory, ["hello", "other"]),
  },
  {
    ...artifact,
    title: "a lookup of a damaged entry",
    from: "recompiled",
    warns: "CORRUPT",
    prepare: fillDamaged,
  },
  { ...artifact, title: "a lookup that makes room", from: "compiled", maxDiskBytes: 754, prepare: fillUp },
  {
    ...artifact,
    title: "a hit of machine code",
    engine: nativeEngine,
    from: "disk",
    prepare: (directory) => fill(directory, ["hello", "other"], nativeEngine()),
  },
  {
    ...host,
    title: "a cold lookup by the host engine",
    from: "compiled",
    prepare: (directory) => fillHost(directory, [OTHER_MODULE]),
  },
  {
    ...host,
    title: "a hit of the host engine",
    from: "disk",
    prepare: (directory) => fillHost(directory, [EMPTY_MODULE, OTHER_MODULE]),
  },
];
