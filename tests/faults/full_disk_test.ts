// A real file system of one megabyte that fills up.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { CacheError, type CacheWarning, type Engine, hostEngine, ModuleCache } from "@wasm/module-cache";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { bytes, EMPTY_MODULE, entriesIn, hitsOnly, inDirectory, text, TextEngine, type TextModule } from "../_tools.ts";
import { outcomeOf } from "./_outcomes.ts";
import { canMount, skipUnless } from "./_surroundings.ts";

/** An engine whose artifacts fill a disk soon. */
class LargeEngine extends TextEngine {
  override serialize(module: TextModule): Uint8Array {
    const large = new Uint8Array(100_000);
    large.set(bytes(module.text));
    return large;
  }

  override deserialize(artifact: Uint8Array): TextModule {
    return { text: text(artifact).replace(/\0+$/, "") };
  }
}

/** A module of so many bytes, that is told from others by a number. */
function largeModule(number: number, length: number): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(length);
  // A custom section with the empty name; its length takes three bytes.
  const rest = length - 12;
  code.set([...EMPTY_MODULE, 0, rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14, 0, number]);
  return code;
}

const mounts = skipUnless(canMount(), "needs a superuser who may mount");

interface Filling<M> {
  readonly engine: () => Engine<M>;
  readonly codes: readonly Uint8Array<ArrayBuffer>[];
  readonly isRight: (module: M, code: Uint8Array) => boolean;
}

const fillings: Record<string, Filling<never>> = {
  "artifacts": {
    engine: () => new LargeEngine(),
    codes: Array.from({ length: 20 }, (_, i) => bytes(`code ${i}`)),
    isRight: (module: TextModule, code) => module.text === text(code),
  } as Filling<TextModule> as unknown as Filling<never>,
  "the host engine's code": {
    engine: hostEngine,
    codes: Array.from({ length: 20 }, (_, i) => largeModule(i, 100_000)),
    isRight: (module: WebAssembly.Module, code) =>
      new Uint8Array(WebAssembly.Module.customSections(module, "")[0]!)[0] === code[13],
  } as Filling<WebAssembly.Module> as unknown as Filling<never>,
};

for (const [name, { engine, codes, isRight }] of Object.entries(fillings)) {
  for (const isSync of [false, true]) {
    test(
      `a disk that fills up with ${name} costs entries, not modules, ${isSync ? "sync" : "async"}`,
      mounts,
      () =>
        inDirectory(async (path) => {
          assertEquals(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", path]).status, 0);
          try {
            const directory = `${path}/cache`;
            const warnings: CacheWarning[] = [];
            const onWarning = (warning: CacheWarning) => warnings.push(warning);
            const cache = new ModuleCache({ engine: engine(), directory, onWarning });
            const resolve = async (cache: ModuleCache<never>, code: Uint8Array<ArrayBuffer>) => {
              const { module, from } = isSync ? cache.resolveSync(code) : await cache.resolve(code);
              assert(isRight(module, code), "the module is wrong");
              await cache.flush();
              return from;
            };
            for (const code of codes) assertEquals(await resolve(cache, code), "compiled");
            assertEquals(warnings.map(outcomeOf), ["ENOSPC"]);
            assertEquals(readdirSync(`${directory}/v1/tmp`), []);
            const stored = entriesIn(directory).length;
            assert(stored >= 5 && stored < 11, `${stored} entries are stored`);
            const strict = new ModuleCache({ engine: hitsOnly(engine()), directory, strict: true });
            for (const code of codes.slice(0, stored)) assertEquals(await resolve(strict, code), "disk");
            // Strict mode says why, and a full disk can still be emptied.
            const last = codes.at(-1)!;
            const refused = new ModuleCache({ engine: engine(), directory, strict: true });
            const error = await assertRejects(() => resolve(refused, last), CacheError);
            assertEquals(outcomeOf(error), "ENOSPC");
            for (const code of codes.slice(0, 2)) assertEquals(await cache.delete(code), true);
            cache.clearMemory();
            assertEquals(await resolve(cache, last), "compiled");
            assertEquals(await resolve(strict, last), "disk");
            assertEquals(warnings.length, 1);
          } finally {
            assertEquals(spawnSync("umount", [path]).status, 0);
          }
        }),
    );
  }
}
