// Machine code from another machine: made there by `warm`, loaded here, and run.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Engine, ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";
import { wasmtime } from "@wasm/module-cache/wasmtime";
import { join } from "node:path";
import { test } from "node:test";
import { PADDED } from "../_v8_tools.ts";
import { bytes, inDirectory } from "../_tools.ts";
import { MemoryStore } from "./_stores.ts";

/** A module that adds, large enough to be kept. */
const code = PADDED;

const secret = bytes("a secret of no less than 32 bytes");

/** Shares a module of an engine between two machines; gives both modules. */
async function share<M>(engine: Engine<M>): Promise<M[]> {
  return await inDirectory(async (top) => {
    const store = new MemoryStore();
    const options = { engine, remote: store, secret, strict: true };
    const first = new ModuleCache({ ...options, directory: join(top, "first") });
    await first.warm([code]);
    assertEquals(store.calls, ["get", "put"]);
    const second = new ModuleCache({ ...options, directory: join(top, "second") });
    const { from, module } = await second.resolve(code);
    assertStrictEquals(from, "remote");
    await second.flush();
    const again = new ModuleCache({ engine, secret, strict: true, directory: join(top, "second") });
    const found = await again.resolve(code);
    assertStrictEquals(found.from, "disk");
    return [module, found.module];
  });
}

const v8 = v8Engine.available();
test(
  "V8's machine code from another machine",
  { skip: v8.available ? false : v8.reason, timeout: 60_000 },
  async () => {
    for (const module of await share(v8Engine())) {
      assertEquals(Object.keys((await WebAssembly.instantiate(module)).exports), EXPORTS);
    }
  },
);

const native = wasmtime.available();
const whereNative = { skip: native.available ? false : native.reason, timeout: 60_000 };
test("Wasmtime's machine code from another machine", whereNative, async () => {
  const engine = wasmtime();
  for (const module of await share(engine)) {
    const instance = engine.instantiate(module);
    assertEquals(Object.keys(instance.exports), EXPORTS);
    instance.dispose();
  }
});

/** What the module exports. */
const EXPORTS = WebAssembly.Module.exports(new WebAssembly.Module(code)).map(({ name }) => name);
