// What HTTP says of a response: whether it is kept, for how long it is fresh, when it is used although it is stale.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError, ModuleCache } from "@wasm/module-cache";
import { test } from "node:test";
import { isBetterThan, policyOf } from "../../src/load/policy.ts";
import { PROBE } from "../../src/v8/proof.ts";
import { WASM, withServer } from "../_server.ts";
import { inDirectory } from "../_tools.ts";
import { asks, FRESH, isFreshAfter, options, second, sri, STALE, strict } from "./_loads.ts";

test("what must not be kept, or varies by what runtimes say, is asked for each time", options, async () => {
  const wrong: Record<string, string>[] = [{ "cache-control": "no-store" }, { vary: "User-Agent" }, { vary: "*" }];
  for (const headers of wrong) {
    const log = await asks({ headers: { ...FRESH, ...headers }, body: PROBE }, [{}, { cache: "force-cache" }]);
    assertEquals(log, ["new", "new"]);
  }
  for (const vary of ["Accept-Encoding", "Authorization, Accept-Encoding", "Cookie, Origin"]) {
    assertEquals(await asks({ headers: { ...FRESH, vary }, body: PROBE }, [{}, {}]), ["new", ""]);
  }
  // What is pinned is kept all the same, and nobody else gets it unasked.
  for (const headers of wrong) {
    for (const integrity of [sri(PROBE), sri(PROBE, "sha384")]) {
      const log = await asks({ headers: { ...FRESH, ...headers }, body: PROBE }, [{ integrity }, { integrity }]);
      assertEquals(log, ["new", ""]);
      const unpinned = await asks({ headers: { ...FRESH, ...headers }, body: PROBE }, [
        { integrity },
        { cache: "force-cache" },
      ]);
      assertEquals(unpinned, ["new", "new"]);
      const unkept = await asks({ headers: FRESH, body: PROBE }, [{ integrity, cache: "no-store" }, { integrity }]);
      assertEquals(unkept, ["new", "new"]);
    }
  }
});

test(
  "a stale response counts where the server fails as long as its age and stale-if-error allow",
  options,
  async () => {
    const cameMs = Date.now();
    const headers = { ...WASM, "cache-control": "max-age=10, stale-if-error=5" };
    const policy = await policyOf(new Response("", { headers }), () => cameMs);
    const isKept = (status: number | undefined, ms: number) => isBetterThan(status, policy!, () => cameMs + ms);
    assertEquals([await isKept(503, 14_000), await isKept(503, 15_000), await isKept(503, -1)], [true, false, false]);
    assertEquals([await isKept(undefined, 1e9), await isKept(404, 0), await isKept(200, 0)], [true, false, false]);
  },
);

test("where nobody answers, what is kept is used, with a warning", options, async () => {
  await inDirectory((directory) =>
    withServer(() => ({ headers: STALE, body: PROBE }), async ({ url, stop }) => {
      const cache = strict(directory);
      await cache.load(url);
      await cache.flush();
      await stop();
      const warnings: CacheError[] = [];
      const later = new ModuleCache({ directory, onWarning: (warning) => warnings.push(warning) });
      assertStrictEquals(WebAssembly.Module.exports(await later.load(url)).length, 2);
      assertEquals([warnings.length, warnings[0]?.code], [1, "NETWORK"]);
      await assertRejects(() => strict(directory).load(url), CacheError);
      await assertRejects(() => later.load(url, { cache: "reload" }), Error);
      await assertRejects(() => later.load(`${url}/other`), Error);
    })
  );
});

test("where the server fails, what is kept is used as it allows", options, async () => {
  for (const status of [500, 502, 503, 504] as const) {
    assertEquals(await second("max-age=0, stale-if-error=86400", status), "kept");
    assertEquals(await second("max-age=0", status), "kept");
    assertEquals(await second("no-cache", status), "kept");
    assertEquals(await second("max-age=0, stale-if-error=0", status), "error");
    assertEquals(await second("max-age=0, must-revalidate, stale-if-error=86400", status), "error");
  }
  for (const status of [400, 404, 410, 429, 501]) {
    assertEquals(await second("max-age=0, stale-if-error=86400", status), "error");
  }
  assertEquals(await second("max-age=0, stale-if-error=86400", 503, { cache: "no-cache" }), "error");
  for (const gone of ["down", "breaks"] as const) {
    assertEquals([gone, await second("max-age=0, stale-if-error=0", gone)], [gone, "kept"]);
    assertEquals([gone, await second("max-age=0, must-revalidate", gone)], [gone, "error"]);
    assertEquals([gone, await second("max-age=0", gone, { cache: "no-cache" })], [gone, "error"]);
  }
  assertEquals(await second("no-cache", "down"), "kept");
});

test("what must be revalidated need not be while it is fresh", options, async () => {
  assertEquals(await isFreshAfter(999_000, { "cache-control": "max-age=1000, must-revalidate" }), true);
  assertEquals(await isFreshAfter(1_001_000, { "cache-control": "max-age=1000, must-revalidate" }), false);
});

test("age counts from when a response came, and where that is still to come it is stale", options, async () => {
  const year = { "cache-control": "max-age=31536000" };
  const [day, hour] = [86_400_000, 3_600_000];
  assertEquals([await isFreshAfter(0, year), await isFreshAfter(364 * day, year)], [true, true]);
  assertEquals([await isFreshAfter(366 * day, year), await isFreshAfter(-1, year)], [false, false]);
  // The clock was a year ahead, and was set right.
  assertEquals([await isFreshAfter(-366 * day, year), await isFreshAfter(-66 * day, year)], [false, false]);
  // Whatever the server's clock says.
  for (const date of [0, 4e12]) assert(await isFreshAfter(hour, { ...year, date: new Date(date).toUTCString() }));
  const hours = { "cache-control": "max-age=7200" };
  for (const age of ["-100000", "x", "", "1, 100000"]) {
    assertEquals([age, await isFreshAfter(hour, { ...hours, age })], [age, true]);
    assertEquals([age, await isFreshAfter(3 * hour, { ...hours, age })], [age, false]);
  }
  assertEquals(await isFreshAfter(hour, { ...hours, age: "3601" }), false);
});

test("directives of the server count in capitals too", options, async () => {
  assertEquals(
    await policyOf(new Response("", { headers: { ...WASM, "cache-control": "No-Store" } }), Date.now),
    undefined,
  );
  assertEquals(await isFreshAfter(0, { "cache-control": "Max-Age=600" }), true);
  assertEquals(await isFreshAfter(0, { "cache-control": "max-age=600, No-Cache" }), false);
  for (const twice of ["max-age=0, max-age=600", "max-age=600,max-age=700"]) {
    assertEquals(await isFreshAfter(0, { "cache-control": twice }), false, twice);
  }
  assertEquals(await isFreshAfter(0, { "cache-control": "s-maxage=0, max-age=600" }), true);
  assertEquals(await second("max-age=0, Must-Revalidate", "down"), "error");
});
