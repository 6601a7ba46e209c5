// Which platform this is. Bun and Deno both claim to be Node by `process.version`; only their own globals tell.

import { bunPlatform } from "./bun.ts";
import { denoPlatform } from "./deno.ts";
import { nodePlatform } from "./node.ts";
import type { Platform } from "./platform.ts";
import { webPlatform } from "./web.ts";

/** Globals that tell runtimes apart. */
export interface RuntimeGlobals {
  /** Of Deno. */
  Deno?: { version?: { deno?: string } };
  /** Of Bun. */
  Bun?: { version?: string };
  /** Of Node; the others have one too. */
  process?: { versions?: { node?: string }; getBuiltinModule?: unknown };
}

/**
 * Finds the platform of this runtime; an unknown runtime gets the one without files.
 *
 * @param globals Where to look.
 */
export function detectPlatform(globals: RuntimeGlobals = globalThis as RuntimeGlobals): Platform {
  // One after another: touching `process` takes Deno 20 ms.
  if (globals.Deno?.version?.deno) return denoPlatform();
  if (globals.Bun?.version) return bunPlatform();
  const { process } = globals;
  if (process?.versions?.node && process.getBuiltinModule) return nodePlatform();
  return webPlatform;
}
