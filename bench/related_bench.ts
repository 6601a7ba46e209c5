// What does a memory hit cost among 1,000 modules that are nearly equal, against a `Map` by SHA-256?

import { createHash } from "node:crypto";
import { ModuleCache } from "@wasm/module-cache";
import { medianSync, modules, printTable, variantOf } from "./_tools.ts";

const COUNT = 1000;
const PADDING_BYTES = 100_000;

/** A module with a section of zeros and one other byte. */
function withByte(at: number): Uint8Array<ArrayBuffer> {
  const size = PADDING_BYTES + 2;
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 128 | size & 127, 128 | size >> 7 & 127, size >> 14, 1, 118];
  const code = new Uint8Array(head.length + PADDING_BYTES);
  code.set(head);
  code[head.length + at] = 1;
  return code;
}

const sqlite = modules[0]!.code;
const kinds: Record<string, Uint8Array<ArrayBuffer>[]> = {
  "100 KB, one byte anywhere": Array.from({ length: COUNT }, (_, i) => withByte(i * 97)),
  "100 KB, a section at the end": Array.from({ length: COUNT }, (_, i) => variantOf(withByte(0), `${i}`)),
  "0.9 MB (sqlite), a section at the end": Array.from({ length: 100 }, (_, i) => variantOf(sqlite, `name ${i}`)),
};
const rows: (string | number)[][] = [];
for (const [name, codes] of Object.entries(kinds)) {
  const cache = new ModuleCache({ maxEntries: COUNT });
  const map = new Map<string, WebAssembly.Module>();
  const digestOf = (code: Uint8Array) => createHash("sha256").update(code).digest("hex");
  for (const code of codes) map.set(digestOf(code), (await cache.resolve(code)).module);
  const own = await medianSync(() => codes.forEach((code) => cache.resolveSync(code)));
  const byMap = await medianSync(() => codes.forEach((code) => map.get(digestOf(code))));
  if (cache.stats().compiled !== codes.length) throw new Error("not memory hits");
  rows.push([`${codes.length} of ${name}`, own, byMap, `${(byMap / own).toFixed(1)} ×`]);
}
printTable("A pass over related modules in memory", ["modules", "cache, ms", "Map by SHA-256, ms", "gain"], rows);
