// What the tests share: both kinds of run, engines that tell of their compiles, directories, runtimes, real modules.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Engine, ModuleCache, Resolved, ResolveOptions } from "@wasm/module-cache";
import type { Code } from "@wasm/module-cache";
import { decodeHeader, endBytes, HEADER_BYTES, MAC_BYTES } from "../src/disk/entry.ts";

/** Folder of this tree. */
export const ROOT: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

/** The files that the package exports. */
export const ENTRIES: readonly string[] = Object.values<string>(
  JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")).exports,
).map((path) => path.slice(2));

/** The smallest module: magic and version. */
export const EMPTY_MODULE: Uint8Array<ArrayBuffer> = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** Real modules, by the package that brings them. */
export const MODULES = {
  sqlite: "@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm",
  esbuild: "esbuild-wasm/esbuild.wasm",
  oxipng: "@jsquash/oxipng/codec/pkg/squoosh_oxipng_bg.wasm",
  oxipngThreads: "@jsquash/oxipng/codec/pkg-parallel/squoosh_oxipng_bg.wasm",
} as const;

/** Code of a real module. */
export function realModule(name: keyof typeof MODULES): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(ROOT, "node_modules", MODULES[name])));
}

/** Bytes of a text. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Text of bytes. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Runs a body once with asynchronous and once with synchronous lookups. */
export function bothWays(
  name: string,
  body: (resolve: Resolve) => Promise<void>,
  { skip = false }: { skip?: string | false } = {},
): void {
  // Bun gives up after 5 s otherwise, also where the machine is busy.
  const options = { timeout: 60_000, skip };
  test(`${name}, async`, options, () => body((cache, code, options) => cache.resolve(code, options)));
  // deno-lint-ignore require-await -- a synchronous lookup that throws must reject here
  test(`${name}, sync`, options, () => body(async (cache, code, options) => cache.resolveSync(code, options)));
}

/** A lookup of either kind. */
export type Resolve = <M>(cache: ModuleCache<M>, code: Code, options?: ResolveOptions) => Promise<Resolved<M>>;

/** A module of {@linkcode textEngine}. */
export interface TextModule {
  readonly text: string;
}

/** An engine for text that counts what it does, and whose artifact is not its code. */
export class TextEngine implements Engine<TextModule> {
  readonly id: string;
  compiles = 0;

  constructor(id = "text-1") {
    this.id = id;
  }

  compile(code: Uint8Array): TextModule {
    this.compiles++;
    if (text(code).startsWith("broken")) throw new SyntaxError("broken text");
    return { text: text(code) };
  }

  serialize(module: TextModule): Uint8Array | undefined {
    return bytes(`artifact of ${module.text}`);
  }

  deserialize(artifact: Uint8Array): TextModule | undefined {
    return { text: text(artifact).replace("artifact of ", "") };
  }
}

/** An engine that must not compile: what it gives is a hit. */
export function hitsOnly<M>(engine: Engine<M>): Engine<M> {
  const refuse = (): never => {
    throw new Error("a hit was expected, but the engine was asked to compile");
  };
  return {
    id: engine.id,
    compile: refuse,
    compileSync: refuse,
    serialize: refuse,
    deserialize: (artifact, code) => engine.deserialize(artifact, code),
    deserializeSync: (artifact, code) =>
      engine.deserializeSync ? engine.deserializeSync(artifact, code) : engine.deserialize(artifact, code) as M,
  };
}

/** A value that throws whatever is done with it. */
export function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Where a module came from, and its text. */
export async function provenanceAndText(resolved: Promise<Resolved<TextModule>>): Promise<[string, string]> {
  const { from, module } = await resolved;
  return [from, module.text];
}

/** Runs a body with a directory of its own. */
export async function inDirectory<T>(body: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs a body with a directory of its own, in memory where there is such a place: a disk takes fifty times as long. */
export async function inMemory<T>(body: (directory: string) => T | Promise<T>): Promise<T> {
  const directory = mkdtempSync(`${existsSync("/dev/shm") ? "/dev/shm" : tmpdir()}/wasm-module-cache-`);
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Paths of all entries in a directory. */
export function entriesIn(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .filter((path) => /[\\/][0-9a-f]{2}[\\/][0-9a-f]{62}$/.test(path))
    .map((path) => join(directory, path));
}

/** The only entry in a directory. */
export function onlyEntry(directory: string): string {
  const entries = entriesIn(directory);
  if (entries.length !== 1) throw new Error(`expected one entry, found ${entries.length}`);
  return entries[0]!;
}

/** Payload of an entry in a file. */
export function payloadOf(path: string): Uint8Array {
  return payloadIn(new Uint8Array(readFileSync(path)));
}

/** Payload of an entry. */
export function payloadIn(entry: Uint8Array<ArrayBuffer>): Uint8Array {
  const header = decodeHeader(entry.slice(-HEADER_BYTES), entry.length);
  if (typeof header === "string") throw new Error(`not an entry: ${header}`);
  return entry.subarray(0, header.payloadLength);
}

/** An entry without what differs each time it is written: the time of its compile, and what is made of that. */
export function withoutTime(entry: Uint8Array): Uint8Array {
  const head = entry.length - HEADER_BYTES;
  const isSigned = (entry[head + 12]! & 2) !== 0;
  return entry.map((byte, at) => at >= head + 140 || isSigned && at >= head - MAC_BYTES && at < head ? 0 : byte);
}

/** Length of an entry, bytes. */
export function entryBytes(payload: string, id = "text-1"): number {
  return payload.length + endBytes(id.length, false);
}

/** Commands that run a script, by runtime name; only this runtime's where the tests were not started by the task. */
export function runtimes(): Record<string, string[]> {
  const given = process.env.TEST_RUNTIMES;
  if (given) return JSON.parse(given);
  return { [thisRuntime()]: "Deno" in globalThis ? [process.execPath, "run", "-A"] : [process.execPath] };
}

/** Name of this runtime, as {@linkcode runtimes} has it. */
export function thisRuntime(): string {
  const { Deno, Bun } = globalThis as unknown as Record<string, { version: string & { deno: string } } | undefined>;
  if (Deno) return `Deno ${Deno.version.deno}`;
  return Bun ? `Bun ${Bun.version}` : `Node ${process.versions.node}`;
}

/** Whether what is the same on every runtime is tried in full here: on the fastest, and everywhere with TEST_LONG=1. */
export const isInFull: boolean = thisRuntime().startsWith("Bun") || process.env.TEST_LONG === "1";

/** What a script left behind. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script in a process of its own. */
export function runScript(
  command: readonly string[],
  script: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
  cwd: string = ROOT,
): Promise<Ended> {
  const [program = "", ...before] = command;
  const child = spawn(program, [...before, script, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => output.stdout += chunk);
  child.stderr.on("data", (chunk) => output.stderr += chunk);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...output }));
  });
}
