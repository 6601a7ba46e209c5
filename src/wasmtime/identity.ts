// What decides whether an artifact made here loads there.

import type { Settings } from "./settings.ts";

/** Names a library and settings. */
export function identityOf(library: string, settings: Settings): string {
  return `wasmtime ${library} ${JSON.stringify(settings)}`;
}
