// The walk of the model: every way a module can come, one after another.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Engine, ModuleCache } from "@wasm/module-cache";
import { rmSync, writeFileSync } from "node:fs";
import { hitsOnly, inDirectory, onlyEntry, payloadOf, type Resolve } from "./_tools.ts";

/** Walks on one engine and code. */
export async function walk<M>(engine: Engine<M>, code: Uint8Array<ArrayBuffer>, resolve: Resolve): Promise<void> {
  await inDirectory(async (directory) => {
    const warnings: string[] = [];
    const cache = new ModuleCache({ engine, directory, onWarning: ({ code }) => warnings.push(code) });
    const next = async () => {
      const { from } = await resolve(cache, code);
      await cache.flush();
      return from;
    };
    assertStrictEquals(await next(), "compiled");
    assertStrictEquals(await next(), "memory");
    assertStrictEquals(await next(), "memory");
    cache.clearMemory();
    assertStrictEquals(await next(), "disk");
    const artifact = payloadOf(onlyEntry(directory));

    rmSync(onlyEntry(directory));
    cache.clearMemory();
    assertStrictEquals(await next(), "compiled");

    writeFileSync(onlyEntry(directory), "invalid module");
    cache.clearMemory();
    assertEquals(warnings, []);
    assertStrictEquals(await next(), "recompiled");
    assertEquals(warnings, ["CORRUPT"]);
    assertStrictEquals(await next(), "memory");
    cache.clearMemory();
    assertStrictEquals(await next(), "disk");
    assertEquals(payloadOf(onlyEntry(directory)), artifact);

    // What the entry gives, it gives without a compile.
    const other = new ModuleCache({ engine: hitsOnly(engine), directory, strict: true });
    assertStrictEquals((await resolve(other, code)).from, "disk");
  });
}
