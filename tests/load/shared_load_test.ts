// Loads that overlap.

import { assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { PROBE } from "../../src/v8/proof.ts";
import { WASM, withServer } from "../_server.ts";
import { options, strict } from "./_loads.ts";

test("loads of one URL at once share one fetch, and one that gives up leaves the others theirs", options, async () => {
  await withServer(
    ({ path }) => ({ headers: WASM, body: PROBE, delayMs: path === "/slow" ? 1000 : 300 }),
    async ({ url, asked }) => {
      const cache = strict();
      const isAsked = async (times: number) => {
        while (asked.length < times) await new Promise((resolve) => setTimeout(resolve, 1));
      };
      const quitter = new AbortController();
      const loads = [cache.load(url), cache.load(new URL(url)), cache.load(`${url}/#part`)];
      const quitting = cache.load(url, { signal: quitter.signal });
      await isAsked(1);
      quitter.abort(new RangeError("enough"));
      assertStrictEquals((await quitting.catch((error) => error)).message, "enough");
      assertStrictEquals(new Set(await Promise.all(loads)).size, 1);
      assertStrictEquals(asked.length, 1);
      // Who gives up does not take the work from those who stay, nor from those who come.
      const leaver = new AbortController();
      const leaving = cache.load(url, { cache: "reload", signal: leaver.signal });
      const staying = cache.load(url, { cache: "reload" });
      await isAsked(2);
      leaver.abort();
      await leaving.catch(() => {});
      assertStrictEquals(await cache.load(url, { cache: "reload" }), await staying);
      assertStrictEquals(asked.length, 2);
      const alone = cache.load(`${url}/slow`, { signal: AbortSignal.timeout(100) });
      assertStrictEquals((await alone.catch((error) => error)).name, "TimeoutError");
      // Its end is none of the load that came after it.
      const after = [cache.load(`${url}/slow`), cache.load(`${url}/slow`)];
      assertStrictEquals(new Set(await Promise.all(after)).size, 1);
      assertStrictEquals(asked.length, 4);
      await assertRejects(() => cache.load(url, { signal: AbortSignal.abort(new RangeError("before")) }), RangeError);
    },
  );
});
