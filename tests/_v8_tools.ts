// What the tests of the V8 engine share: when they run, programs with a cache of it, and what is in its directory.

import { v8Engine } from "@wasm/module-cache/v8";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type GRADES, isAtLeast } from "../src/v8/artifact.ts";
import { PROBE } from "../src/v8/proof.ts";
import { entriesIn, payloadOf, runScript } from "./_tools.ts";

const { available, reason } = v8Engine.available();

/** Where the engine is there. */
export const here = { timeout: 300_000, skip: available ? false : reason };

const isSecond = !process.env.TEST_LONG && process.version.startsWith("v22.");

/** Where the engine is there, in full: not on Node 22, which has smoke cases. */
export const inFull = { ...here, skip: isSecond ? "tried on Node 24: set TEST_LONG=1" : here.skip };

/** The same where processes can be looked at. */
export const onLinux = {
  ...inFull,
  skip: process.platform === "linux" ? inFull.skip : "processes are looked at on Linux",
};

/** What a program says of its lookup. */
export interface Answer {
  readonly from: string;
  readonly reason?: string;
  readonly answer: number;
  readonly surface: string;
  /** How many processes it started. */
  readonly started: number;
}

/** The probe, large enough to be kept. */
export const PADDED: Uint8Array<ArrayBuffer> = Uint8Array.from([
  ...[...PROBE, 0, 0x85, 0x40, 1, 97],
  ...new Uint8Array(8195),
]);

/** Runs the program in a process of its own; gives what it printed. */
export async function program<T = Answer>(
  directory: string,
  task = "profile",
  { flags = [], secret, env }: { flags?: string[]; secret?: string; env?: Record<string, string> } = {},
): Promise<T> {
  const args = [directory, task, ...(secret ? [secret] : [])];
  const { code, stdout, stderr } = await runScript([process.execPath, ...flags], "tests/_v8_program.ts", args, env);
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.split("\n").find((line) => line.startsWith("{"))!);
}

/** The same answer, from the disk. */
export function fromDisk({ answer, surface }: Answer): Pick<Answer, "from" | "answer" | "surface"> {
  return { from: "disk", answer, surface };
}

/** What an answer is, wherever it came from. */
export function said({ from, answer, surface }: Answer): Pick<Answer, "from" | "answer" | "surface"> {
  return { from, answer, surface };
}

/** Payloads in a directory, without the notes of what was tried. */
export function artifactsIn(directory: string): Uint8Array[] {
  return entriesIn(directory).filter((path) => !isNote(path)).map(payloadOf);
}

/** Notes of what was tried in a directory. */
export function notesIn(directory: string): string[] {
  return entriesIn(directory).filter(isNote);
}

/** They hold text. */
function isNote(path: string): boolean {
  return payloadOf(path)[0] === "{".charCodeAt(0);
}

/** Tells whether an artifact of a grade stands there. */
export function hasGrade(directory: string, grade: keyof typeof GRADES): boolean {
  return artifactsIn(directory).some((artifact) => isAtLeast(artifact, grade));
}

/** Waits for something that comes; the test's own limit ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Waits until nobody makes artifacts for a directory any more: who does has marked it before the program ended. */
export function settled(directory: string): Promise<void> {
  return until(() => !existsSync(`${directory}/v1/locks/v8`));
}

/** What was left in a directory by processes that ended. */
export function leftIn(directory: string): string[] {
  return readdirSync(`${directory}/v1/tmp`);
}

let warm: Promise<string> | undefined;

/** A directory with all machine code of sqlite, which nobody may change. */
export function warmed(): Promise<string> {
  return warm ??= (async () => {
    const directory = mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
    process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
    await program(directory, "warm");
    return directory;
  })();
}
