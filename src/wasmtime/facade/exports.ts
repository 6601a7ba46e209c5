// What only the code tells of exports: indices of functions, which are their names, and which are imports passed on.

import type { Bytes } from "../../engine/calls.ts";
import { Reader, sectionsOf } from "../../engine/binary.ts";
import { functionStateOf } from "../store.ts";

/** What an instance exports. */
export type Exports = Readonly<Record<string, unknown>>;

const [EXPORT_SECTION, FUNCTION] = [7, 0];

/**
 * Names functions that have no name yet. An export that is an import becomes what was imported.
 *
 * @param imported What was given for imported functions, in order.
 */
export function named(code: Bytes, exports: Exports, imported: readonly unknown[]): Exports {
  const all: Record<string, unknown> = Object.assign(Object.create(null), exports);
  for (const { name, index } of exportedFunctions(code)) {
    if (functionStateOf(imported[index])) all[name] = imported[index];
    const call = all[name] as { readonly name: string };
    if (call.name === "") Object.defineProperty(call, "name", { value: `${index}`, configurable: true });
  }
  return Object.freeze(all);
}

function exportedFunctions(code: Bytes): { name: string; index: number }[] {
  const section = [...sectionsOf(code)].find(({ id }) => id === EXPORT_SECTION);
  if (!section) return [];
  const reader = new Reader(code, section.from);
  return Array.from({ length: reader.number() }, () => {
    const name = reader.name();
    return { name, kind: reader.byte(), index: reader.number() };
  }).filter(({ kind }) => kind === FUNCTION);
}
