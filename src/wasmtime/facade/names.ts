// Names of exported functions: their indices, which only the code tells.

import type { Bytes } from "../../engine/calls.ts";
import { Reader, sectionsOf } from "../../engine/binary.ts";

const [EXPORT_SECTION, FUNCTION] = [7, 0];

/** Names functions that have no name yet. */
export function names(code: Bytes | undefined, exports: Record<string, unknown>): void {
  for (const { id, from } of code ? sectionsOf(code) : []) {
    if (id !== EXPORT_SECTION) continue;
    const reader = new Reader(code!, from);
    for (let left = reader.number(); left > 0; left--) {
      const exported = exports[reader.name()!];
      const kind = reader.byte();
      const value = `${reader.number()}`;
      if (kind !== FUNCTION || (exported as { name?: unknown }).name !== "") continue;
      Object.defineProperty(exported, "name", { value, configurable: true });
    }
  }
}
