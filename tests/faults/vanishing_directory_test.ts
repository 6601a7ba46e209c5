// A directory that somebody removes, again and again, under those who use it.

import { assertEquals } from "@std/assert";
import { type CacheWarning, type Engine, ModuleCache } from "@wasm/module-cache";
import { existsSync, renameSync, rmSync } from "node:fs";
import { test } from "node:test";
import { bytes, inMemory, TextEngine, type TextModule } from "../_tools.ts";
import { openBelow } from "./_watch.ts";

for (const isSync of [false, true]) {
  test(`a directory that vanishes again and again costs entries, not modules, ${isSync ? "sync" : "async"}`, {
    timeout: 120_000,
  }, () =>
    inMemory(async (base) => {
      const directory = `${base}/cache`;
      let isVanishing = true;
      const vanish = () => {
        if (!isVanishing || !existsSync(directory)) return;
        // In one step: others write in it.
        renameSync(directory, `${base}/gone`);
        rmSync(`${base}/gone`, { recursive: true });
      };
      const plain = new TextEngine();
      const engine: Engine<TextModule> = {
        id: plain.id,
        compile: (code) => (vanish(), plain.compile(code)),
        serialize: (module) => (vanish(), plain.serialize(module)),
        deserialize: (artifact) => (vanish(), plain.deserialize(artifact)),
      };
      const warnings: CacheWarning[] = [];
      const options = { engine, directory, lockTimeoutMs: 500 };
      for (let round = 0; round < 20; round++) {
        const cache = new ModuleCache({ ...options, onWarning: (warning) => warnings.push(warning) });
        const names = Array.from({ length: 20 }, (_, i) => `name ${i % 10 + round % 3}`);
        const lookUp = async (name: string) => {
          const { module } = isSync ? cache.resolveSync(bytes(name)) : await cache.resolve(bytes(name));
          assertEquals(module.text, name);
          vanish();
        };
        await Promise.all(names.map(lookUp));
      }
      for (const { code } of warnings) assertEquals(code, "IO");
      assertEquals(openBelow(directory), []);
      isVanishing = false;
      const cache = new ModuleCache({ ...options, strict: true });
      for (const from of ["compiled", "disk"]) {
        assertEquals((isSync ? cache.resolveSync(bytes("last")) : await cache.resolve(bytes("last"))).from, from);
        cache.clearMemory();
      }
    }));
}
