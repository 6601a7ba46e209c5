// What every engine must do. Each engine's tests call this with a way to make it, code, and a question to its modules.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type Engine, ModuleCache } from "@wasm/module-cache";
import { test } from "node:test";
import { bothWays, hitsOnly, inDirectory, onlyEntry, payloadOf } from "../_tools.ts";

/** What the contract needs to know of an engine. */
export interface EngineSubject<M> {
  /** Name for the tests. */
  readonly name: string;
  /** Makes an engine; two of them are interchangeable. */
  readonly make: () => Engine<M>;
  /** Code that the engine takes. */
  readonly code: () => Uint8Array<ArrayBuffer>;
  /** Code that it refuses. */
  readonly bad: () => Uint8Array<ArrayBuffer>;
  /** Why the engine cannot be used here. */
  readonly skip?: string | false;
  /** Asks a module something; the same answer whichever way it was come by. */
  readonly ask: (module: M) => unknown;
}

/** Registers the contract's tests for an engine. */
export function engineContract<M>({ name, make, code, bad, ask, skip = false }: EngineSubject<M>): void {
  test(`${name} engine has an id that does not change`, { skip }, () => {
    assert(make().id.length > 0);
    assertStrictEquals(make().id, make().id);
  });

  test(`${name} engine reads back what it wrote down`, { skip }, async () => {
    const engine = make();
    const module = await engine.compile(code());
    const artifact = await engine.serialize(module, code());
    assert(artifact instanceof Uint8Array);
    const again = await make().deserialize(new Uint8Array(artifact), code());
    assert(again !== undefined);
    assertEquals(ask(again), ask(module));
  });

  test(`${name} engine gives the same artifact for the same code`, { skip }, async () => {
    const artifacts = await Promise.all(
      [make(), make()].map(async (engine) => engine.serialize(await engine.compile(code()), code())),
    );
    assertEquals(artifacts[0], artifacts[1]);
  });

  test(`${name} engine leaves the code as it is`, { skip }, async () => {
    const given = code();
    await make().compile(given);
    assertEquals(given, code());
  });

  bothWays(`${name} engine answers alike from every place`, (resolve) =>
    inDirectory(async (directory) => {
      const cache = new ModuleCache({ engine: make(), directory, strict: true });
      const cold = await resolve(cache, code());
      await cache.flush();
      assertStrictEquals(payloadOf(onlyEntry(directory)).length > 0, true);
      const warm = await resolve(new ModuleCache({ engine: hitsOnly(make()), directory, strict: true }), code());
      assertEquals([cold.from, warm.from], ["compiled", "disk"]);
      assertEquals(ask(warm.module), ask(cold.module));
    }), { skip });

  bothWays(`${name} engine's own error reaches the caller`, (resolve) =>
    inDirectory(async (directory) => {
      const native = await new Promise<M>((resolve) => resolve(make().compile(bad()))).catch((error) => error);
      const cache = new ModuleCache({ engine: make(), directory });
      const error = await resolve(cache, bad()).catch((error) => error);
      assertStrictEquals(error.constructor, native.constructor);
    }), { skip });
}
