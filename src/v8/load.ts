// What the V8 engines share: reading artifacts back.

import type { Bytes } from "../engine/calls.ts";
import { type Grade, isAtLeast, ungraded } from "./artifact.ts";
import { hasFlagsOf } from "./identity.ts";
import { deserialize } from "./intrinsics.ts";

/**
 * Reads a module back.
 *
 * @param id Identity of the engine; its flags may have been changed since.
 * @param least The grade below which an artifact is not taken.
 */
export function load(
  id: string,
  least: Grade,
  artifact: Bytes,
  code: Bytes | undefined,
): WebAssembly.Module | undefined {
  if (!code || !isAtLeast(artifact, least) || !hasFlagsOf(id)) return undefined;
  return deserialize(ungraded(artifact), code);
}
