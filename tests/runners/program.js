// A program's tests under Jest and Vitest: the globals are the runner's, its timers fakes from the start.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getSync, ModuleCache } from "../../mod.ts";
import { register, unregister } from "../../src/register/register.ts";

const fakes = globalThis.vi ?? (await import("@jest/globals")).jest;
const code = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 0x81, 0x20, 1, 97, ...new Uint8Array(4095)]);
const directory = mkdtempSync(join(tmpdir(), "wasm-module-cache-runner-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("lookups compile, write and hit while the timers are fakes", async () => {
  fakes.useFakeTimers();
  const cache = new ModuleCache({ directory });
  const first = await cache.resolve(code);
  await cache.flush();
  const again = await new ModuleCache({ directory }).resolve(code);
  fakes.useRealTimers();
  expect([first.from, again.from]).toEqual(["compiled", "disk"]);
  expect(existsSync(join(directory, "v1"))).toBe(true);
  for (const { module } of [first, again]) expect(module instanceof WebAssembly.Module).toBe(true);
  expect((await WebAssembly.instantiate(first.module)) instanceof WebAssembly.Instance).toBe(true);
  expect(getSync(cacheEngine, code, directory)).toBe(code.length);
});

const cacheEngine = {
  id: "length-1",
  compile: (code) => code.length,
  serialize: (length) => Buffer.from(String(length)),
  deserialize: (artifact) => Number(Buffer.from(artifact).toString()),
};

test("modules of replaced calls have the class that the program sees", async () => {
  process.env.WASM_CACHE_MIN_BYTES = "4096";
  register();
  try {
    const modules = [];
    for (let i = 0; i < 3; i++) modules.push(await WebAssembly.compile(code), new WebAssembly.Module(code));
    for (const module of modules) {
      expect(module instanceof WebAssembly.Module).toBe(true);
      expect(new WebAssembly.Instance(module) instanceof WebAssembly.Instance).toBe(true);
    }
    await expect(WebAssembly.compile(code.subarray(0, 4096))).rejects.toThrow(WebAssembly.CompileError);
  } finally {
    unregister();
  }
});
