// Which SHA-256 is the fastest here? What the platforms choose between; the first call in a process of its own counts most.

import { createHash } from "node:crypto";
import { median, medianSync, modules, printTable, timeOf } from "./_tools.ts";

const { Bun } = globalThis as unknown as {
  Bun?: { CryptoHasher: { hash(name: string, bytes: Uint8Array): Uint8Array } };
};
const rows: (string | number)[][] = [];
for (const { name, code } of modules) {
  const first = await timeOf(() => crypto.subtle.digest("SHA-256", code));
  rows.push([
    name,
    await medianSync(() => createHash("sha256").update(code).digest()),
    first,
    await median(() => crypto.subtle.digest("SHA-256", code)),
    Bun ? await medianSync(() => Bun.CryptoHasher.hash("sha256", code)) : "–",
  ]);
}
printTable("SHA-256", ["bytes", "node:crypto, ms", "Web Crypto, first", "Web Crypto", "Bun.CryptoHasher"], rows);
