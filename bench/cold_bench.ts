// What does the host engine's cold lookup and its disk hit cost over a plain compile? Every compile is of new bytes.

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engine, hostEngine, ModuleCache } from "@wasm/module-cache";
import { medianOfCold, modules, printTable, timeOf, variantOf } from "./_tools.ts";

/** Fills a directory with entries of the host engine without compiling anything. */
const filler: Engine<undefined> = {
  id: hostEngine().id,
  compile: () => undefined,
  serialize: (_module, code) => code,
  deserialize: () => undefined,
};

const directory = mkdtempSync(join(tmpdir(), "wasm-module-cache-bench-"));
const rows: (string | number)[][] = [];
try {
  for (const { name, code } of modules) {
    const rounds = code.length > 20e6 ? 7 : code.length > 5e6 ? 17 : 41;
    for (const mode of ["async", "sync"] as const) {
      const compile = (bytes: Uint8Array<ArrayBuffer>) =>
        mode === "async" ? WebAssembly.compile(bytes) : new WebAssembly.Module(bytes);
      const resolve = (cache: ModuleCache, bytes: Uint8Array<ArrayBuffer>) =>
        mode === "async" ? cache.resolve(bytes) : cache.resolveSync(bytes);
      // Before anything is timed: what the disk has still to do for these would slow what comes next.
      const filling = new ModuleCache({
        engine: filler,
        directory,
        strict: true,
        maxEntries: 0,
        maxDiskBytes: Infinity,
      });
      for (let i = 0; i < rounds; i++) await filling.resolve(variantOf(code, `${mode} hit ${i}`));
      let hits = 0;
      const [plain, bound, cold, hit] = await medianOfCold(rounds, [
        () => {
          const bytes = variantOf(code);
          return timeOf(() => compile(bytes));
        },
        () => {
          const bytes = variantOf(code);
          return timeOf(async () => {
            createHash("sha256").update(bytes).digest();
            await compile(bytes.slice());
          });
        },
        async () => {
          const bytes = variantOf(code);
          const cache = new ModuleCache({ directory, strict: true, maxDiskBytes: Infinity });
          const ms = await timeOf(() => resolve(cache, bytes));
          await cache.flush();
          return ms;
        },
        async () => {
          const bytes = variantOf(code, `${mode} hit ${hits++}`);
          const cache = new ModuleCache({ directory, strict: true, maxDiskBytes: Infinity });
          const ms = await timeOf(() => resolve(cache, bytes));
          if (cache.stats().diskHits !== 1) throw new Error("not a disk hit");
          return ms;
        },
      ]);
      rows.push([`${name}, ${mode}`, plain!, bound!, cold!, cold! / bound!, hit!, hit! - bound!]);
    }
  }
} finally {
  rmSync(directory, { recursive: true });
}
printTable("Cold lookup and disk hit of the host engine", [
  "module",
  "plain compile, ms",
  "plus SHA-256 and a copy",
  "cold lookup, ms",
  "of that",
  "disk hit, ms",
  "over that, ms",
], rows);
