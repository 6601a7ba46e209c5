// Which implementation of the port this runtime has.

import { detectPlatform } from "../platform/detect.ts";
import { bunFfi } from "./bun.ts";
import { denoFfi } from "./deno.ts";
import type { Ffi } from "./ffi.ts";
import { nodeFfi } from "./node.ts";

/** Finds the way to call native code; `undefined` on runtimes that have none. */
export function detectFfi(): Ffi | undefined {
  const { name } = detectPlatform();
  return name === "deno" ? denoFfi : name === "bun" ? bunFfi() : name === "node" ? nodeFfi() : undefined;
}
