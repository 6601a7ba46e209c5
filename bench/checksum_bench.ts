// From which length on is XXH3-128 of hash-wasm worth its start, against SHA-256?

import { createHash } from "node:crypto";
import { perform, runAsync } from "../src/effect.ts";
import { xxh3, XXH3_FROM_BYTES } from "../src/disk/checksum.ts";
import { median, medianSync, modules, printTable, timeOf } from "./_tools.ts";

const large = new Uint8Array(XXH3_FROM_BYTES);
const start = await timeOf(() => runAsync(perform(xxh3(large))));
const rows: (string | number)[][] = [];
for (const { name, code } of [...modules, { name: "16 MiB", code: large }]) {
  if (code.length < XXH3_FROM_BYTES) continue;
  const sha256 = await medianSync(() => createHash("sha256").update(code).digest());
  const fast = await median(() => runAsync(perform(xxh3(code))));
  rows.push([name, sha256, fast, sha256 / fast, start]);
}
printTable("Checksum of a large payload", [
  "bytes",
  "SHA-256, ms",
  "XXH3-128, ms",
  "ratio",
  "first XXH3-128 of 16 MiB, ms",
], rows);
