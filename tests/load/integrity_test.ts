// Integrity: what is pinned is asked for once, and nothing else is taken for it.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type CacheError, ModuleCache } from "@wasm/module-cache";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { pinsOf } from "../../src/load/integrity.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { withServer } from "../_server.ts";
import { entriesIn, inDirectory } from "../_tools.ts";
import { asks, FRESH, options, OTHER, sri, STALE, strict } from "./_loads.ts";

test("with integrity nothing is asked once the code is there", options, async () => {
  for (const algorithm of ["sha256", "sha384", "sha512"]) {
    const load = { integrity: `sha256-${"A".repeat(43)}= ${sri(PROBE, algorithm)}` };
    const given = algorithm === "sha256" ? { integrity: sri(PROBE) } : load;
    assertEquals(await asks({ headers: STALE, body: PROBE }, [given, given]), ["new", ""]);
  }
  const wrong = { integrity: sri(OTHER) };
  assertEquals(await asks({ headers: FRESH, body: PROBE }, [wrong, wrong, {}]), [
    "new TypeError",
    "new TypeError",
    "new",
  ]);
});

test("what is kept of a URL is not taken for what integrity says", options, async () => {
  for (const algorithm of ["sha256", "sha512"]) {
    const wrong = { integrity: sri(OTHER, algorithm) };
    const modes = ["default", "force-cache", "no-cache"] as const;
    const loads = modes.map((cache) => ({ ...wrong, cache }));
    const log = await asks({ headers: FRESH, body: PROBE }, [{}, ...loads, { ...wrong, cache: "only-if-cached" }]);
    assertEquals(log, ["new", ...modes.map(() => "new TypeError"), "TypeError"]);
  }
  await withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url }) => {
    const cache = strict();
    await cache.load(url);
    await assertRejects(() => cache.load(url, { integrity: sri(OTHER) }), TypeError);
    assert(await cache.load(url, { integrity: sri(PROBE) }));
  });
});

test("code that is kept is not taken for what integrity says where it was forged", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: FRESH, body: PROBE }), async ({ url, asked }) => {
      const cache = strict(directory);
      await cache.load(url, { integrity: sri(PROBE) });
      await cache.flush();
      for (const path of entriesIn(directory)) {
        const entry = readFileSync(path);
        entry[entry.length - 1]! ^= 1;
        writeFileSync(path, entry);
      }
      const warnings: CacheError[] = [];
      const other = new ModuleCache({ directory, onWarning: (warning) => warnings.push(warning) });
      assertStrictEquals(WebAssembly.Module.exports(await other.load(url, { integrity: sri(PROBE) })).length, 2);
      assertEquals([asked.length, warnings[0]?.code], [2, "CORRUPT"]);
      await other.flush();
      await strict(directory).load(url, { integrity: sri(PROBE) });
      assertStrictEquals(asked.length, 2);
    })
  );
});

test("integrity is read as HTML has it: the strongest counts", options, () => {
  assertEquals(pinsOf(undefined), []);
  // One that cannot be checked is no harm beside one that can.
  assertEquals(pinsOf(`md5-abc ${sri(PROBE)}`), pinsOf(sri(PROBE)));
  const odd = "sha256-+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/8=";
  assertEquals(pinsOf(odd.replaceAll("+", "-").replaceAll("/", "_").replace("=", "")), pinsOf(odd));
  const [a, b] = [sri(PROBE, "sha512"), sri(OTHER, "sha512")];
  assertEquals(pinsOf(` ${sri(PROBE)}\n${a}?option ${b} `).map(({ algorithm }) => algorithm), ["SHA-512", "SHA-512"]);
});
