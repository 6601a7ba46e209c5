// Workers that are handed a module: it is compiled once, and works in each.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { ModuleCache } from "@wasm/module-cache";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { inDirectory, realModule, ROOT } from "./_tools.ts";

test(
  "workers that are handed a module need not compile it",
  { timeout: 60_000 },
  () =>
    inDirectory(async (directory) => {
      const cache = new ModuleCache({ directory, strict: true });
      const code = realModule("sqlite");
      const answers = await Promise.all([1, 2, 3, 4].map(async () => {
        const worker = new Worker(new URL(`file://${ROOT}/tests/_worker.mjs`));
        const answer = new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
        worker.postMessage(await cache.compile(code));
        const found = await answer;
        await worker.terminate();
        return found;
      }));
      const expected = WebAssembly.Module.exports(await cache.compile(code)).length;
      assertEquals(answers, Array(4).fill({ exports: expected, isModule: true, compiles: 0 }));
      assertStrictEquals(cache.stats().compiled, 1);
      await cache.flush();
    }),
);
