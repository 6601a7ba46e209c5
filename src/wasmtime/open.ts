// Opens a library once in each thread, and checks that it is the version this binding was written for.

import { detectFfi } from "../ffi/detect.ts";
import { textOf } from "../bytes.ts";
import { Compiler } from "./compiler.ts";
import { Machine } from "./machine.ts";
import type { Settings } from "./settings.ts";

/** The version whose structures the binding knows. */
const MAJOR = "50";

/** Where an artifact has the version of the library that made it: before the name of the machine. */
const VERSION = /(\d+)[^\d](x86_64|aarch64)-/;

/** How far into an artifact that is. */
const VERSION_WITHIN_BYTES = 4096;

const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const PLAIN: Settings = {
  optimize: "none",
  fuel: false,
  deadlines: false,
  canonicalNaN: false,
  maxWasmStackBytes: 512 * 1024,
};

/** Opened libraries, by path; or why they cannot be used. */
const machines = new Map<string, Machine | string>();

/** Opens a library. Returns a text that says why it cannot be used. */
export function machineOf(path: string): Machine | string {
  const known = machines.get(path) ?? opened(path);
  machines.set(path, known);
  return known;
}

function opened(path: string): Machine | string {
  const ffi = detectFfi();
  if (!ffi) return "this runtime cannot call native code";
  try {
    const machine = new Machine(ffi, path);
    const version = versionOf(machine);
    return version === MAJOR ? machine : `the library is Wasmtime ${version ?? "?"}, and must be ${MAJOR}`;
  } catch (error) {
    return `the library ${path} cannot be used: ${textOf(error)}`;
  }
}

/** Version of a library, from what it makes: it has no function that tells. */
function versionOf({ wasmtime }: Machine): string | undefined {
  const compiler = new Compiler(wasmtime, PLAIN, { name: "cranelift" });
  const artifact = compiler.serialize(compiler.compile(EMPTY));
  const text = String.fromCharCode(...artifact.subarray(0, VERSION_WITHIN_BYTES));
  return text.match(VERSION)?.[1];
}
