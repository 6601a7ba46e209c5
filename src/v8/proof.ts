// The proof that V8's calls do here what this engine needs: a module that one process writes down and another runs.

import { native } from "../engine/runtime.ts";
import type { Bytes } from "../engine/calls.ts";
import { optimize, serialize } from "./intrinsics.ts";

/**
 * One page of memory, `add(i32, i32): i32`, and `read(i32): i32`, which traps out of bounds.
 *
 * The pages before and after are V8's own guard: an access that is not caught ends the process.
 */
export const PROBE: Bytes = Uint8Array.from([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  // Types: (i32, i32) → i32, (i32) → i32.
  ...[0x01, 0x0c, 0x02, 0x60, 0x02, 0x7f, 0x7f, 0x01, 0x7f, 0x60, 0x01, 0x7f, 0x01, 0x7f],
  // Functions of these types; one page of memory, no more.
  ...[0x03, 0x03, 0x02, 0x00, 0x01, 0x05, 0x04, 0x01, 0x01, 0x01, 0x01],
  // Exports "add" and "read".
  ...[0x07, 0x0e, 0x02, 0x03, 0x61, 0x64, 0x64, 0x00, 0x00, 0x04, 0x72, 0x65, 0x61, 0x64, 0x00, 0x01],
  // local.get 0, local.get 1, i32.add; local.get 0, i32.load.
  ...[0x0a, 0x11, 0x02, 0x07, 0x00, 0x20, 0x00, 0x20, 0x01, 0x6a, 0x0b, 0x07, 0x00, 0x20, 0x00, 0x28, 0x02, 0x00, 0x0b],
]);

/**
 * Writes the probe down as it is made in this process, with its flags.
 *
 * @throws {Error} When V8 does not optimize it.
 */
export function probeArtifact(): Bytes {
  // With a section after its code: V8 would read nothing back of a module that lives in the same process.
  const module = new native.Module(Uint8Array.from([...PROBE, 0, 2, 1, 97]));
  const { add, read } = new native.Instance(module).exports;
  if (!optimize(add) || !optimize(read)) throw new Error("Cannot make artifact: V8 does not optimize on demand");
  return serialize(module);
}

/** Tells whether a module of the probe does what it should. */
export function works(module: WebAssembly.Module): boolean {
  const { add, read } = new native.Instance(module).exports as Record<string, (...given: number[]) => number>;
  if (add!(40, 2) !== 42 || read!(0) !== 0) return false;
  return [65_533, 1_000_000, -1].every((outside) => {
    try {
      read!(outside);
      return false;
    } catch (error) {
      return error instanceof WebAssembly.RuntimeError;
    }
  });
}
