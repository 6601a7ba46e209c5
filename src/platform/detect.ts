// The single runtime test. Bun and Deno both claim to be Node by `process.version`; only their own globals tell.

import { bunPlatform } from "./bun.ts";
import { denoPlatform } from "./deno.ts";
import { nodePlatform } from "./node.ts";
import type { Platform } from "./platform.ts";
import { webPlatform } from "./web.ts";

/** Finds the platform of this runtime; one without files where it is none of those known. */
export function detectPlatform(): Platform {
  const { Deno, Bun, process } = globalThis as {
    Deno?: { version?: { deno?: string } };
    Bun?: { version?: string };
    process?: { versions?: { node?: string }; getBuiltinModule?: unknown };
  };
  if (Deno?.version?.deno) return denoPlatform();
  if (Bun?.version) return bunPlatform();
  if (process?.versions?.node && process.getBuiltinModule) return nodePlatform();
  return webPlatform;
}
