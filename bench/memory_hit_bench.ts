// What does a memory hit cost, against one SHA-256 of the same bytes and against compiling them again?

import { createHash } from "node:crypto";
import { ModuleCache } from "@wasm/module-cache";
import { median, medianSync, modules, printTable } from "./_tools.ts";

const times: (string | number)[][] = [];
const gains: (string | number)[][] = [];
for (const { name, code } of modules) {
  const cache = new ModuleCache();
  const { module } = await cache.resolve(code);
  const digest = createHash("sha256").update(code).digest("hex");
  const sha256 = await medianSync(() => createHash("sha256").update(code).digest());
  const hit = await median(() => cache.resolve(code));
  const hitSync = await medianSync(() => cache.resolveSync(code));
  const known = await median(() => cache.resolve(code, { digest }));
  const knownSync = await medianSync(() => cache.resolveSync(code, { digest }));
  const plain = await median(() => WebAssembly.compile(code));
  const plainSync = await medianSync(() => new WebAssembly.Module(code));
  times.push([name, sha256, hitSync, hitSync / sha256, hit, hit / sha256, known * 1000, knownSync * 1000]);
  gains.push([
    name,
    plain,
    hit,
    `${(plain / hit).toFixed(1)} ×`,
    plainSync,
    hitSync,
    `${(plainSync / hitSync).toFixed(1)} ×`,
  ]);
  if (cache.stats().compiled !== 1 || (await cache.resolve(code)).module !== module) {
    throw new Error("not a memory hit");
  }
}
printTable("Memory hit against one SHA-256", [
  "module",
  "SHA-256, ms",
  "hit sync, ms",
  "of SHA-256",
  "hit async, ms",
  "of SHA-256",
  "with digest async, µs",
  "with digest sync, µs",
], times);
printTable("Memory hit against compiling the same bytes again", [
  "module",
  "compile async, ms",
  "hit, ms",
  "gain",
  "compile sync, ms",
  "hit, ms",
  "gain",
], gains);
