// Wasmtime's library for the tests: what the variable names, else what the task has unpacked. Downloads nothing.

import { existsSync } from "node:fs";
import process from "node:process";
import { libraryOf, wheelHere } from "../../dev/wasmtime_wheels.ts";
import { whyNotHere } from "../../src/wasmtime/library.ts";

const wheel = wheelHere();
const unpacked = wheel && libraryOf(wheel);

/** Its path, if there is one. */
export const library: string | undefined = process.env.WASM_CACHE_WASMTIME ||
  (unpacked && existsSync(unpacked) ? unpacked : undefined);

/** Why tests that run WebAssembly by it are skipped. */
export const skip: string | false = whyNotHere() ??
  (library === undefined ? "no library of Wasmtime: `task test` gets it by pip" : false);
