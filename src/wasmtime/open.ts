// Opens a library once in each thread, and checks that it is the version this binding was written for.

import { detectFfi } from "../ffi/detect.ts";
import { textOf } from "../bytes.ts";
import { Compiler } from "./compiler.ts";
import { MAJOR } from "./identity.ts";
import { Machine } from "./machine.ts";
import type { Settings } from "./settings.ts";

/** Where an artifact has the version of the library that made it: before the name of the machine. */
const VERSION = /(\d+)[^\d](x86_64|aarch64)-/;

/** How far into an artifact its description reaches; code begins at the next page. */
const DESCRIPTION_BYTES = 4096;

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const PLAIN: Settings = {
  optimize: "none",
  fuel: false,
  deadlines: false,
  canonicalNaN: false,
  maxWasmStackBytes: 512 * 1024,
};

/** A library that was opened. */
export interface Opened {
  /** Its machine. */
  readonly machine: Machine;
  /** Digest of what it says of the machine that it makes code for: the processor's features above all. */
  readonly features: string;
}

/** Opened libraries, by path; or why they cannot be used. */
const libraries = new Map<string, Opened | string>();

/** Opens a library. Returns a text that says why it cannot be used. */
export function openLibrary(path: string): Opened | string {
  const known = libraries.get(path) ?? opened(path);
  libraries.set(path, known);
  return known;
}

function opened(path: string): Opened | string {
  const ffi = detectFfi();
  if (!ffi) return "this runtime cannot call native code";
  try {
    const machine = new Machine(ffi, path);
    const description = describedBy(machine);
    const version = description.match(VERSION)?.[1];
    if (version !== `${MAJOR}`) return `the library is Wasmtime ${version ?? "?"}, and must be ${MAJOR}`;
    return { machine, features: digestOf(description) };
  } catch (error) {
    return `the library ${path} cannot be used: ${textOf(error)}`;
  }
}

/**
 * How a library describes what it makes, from what it makes of nothing: its version, the processor's features, its
 * settings. It has no function that tells, and Deno shows the system's own description to few programs.
 */
function describedBy({ wasmtime }: Machine): string {
  const compiler = new Compiler(wasmtime, PLAIN, { name: "cranelift" });
  const artifact = compiler.serialize(compiler.compile(EMPTY));
  return String.fromCharCode(...artifact.subarray(0, DESCRIPTION_BYTES));
}

/** FNV-1a, 64 bits: nobody gains by a collision, and SHA-256 takes Deno 30 ms to load for a synchronous call. */
function digestOf(text: string): string {
  let digest = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i++) {
    digest = BigInt.asUintN(64, (digest ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
  }
  return digest.toString(16).padStart(16, "0");
}
