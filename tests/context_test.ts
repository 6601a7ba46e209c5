// What a cache warns of: once for each kind, whatever the callback and the engine do.

import { assertEquals } from "@std/assert";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { mock, test } from "node:test";
import { type CacheError, ModuleCache } from "@wasm/module-cache";
import { bothWays, bytes, EMPTY_MODULE, inDirectory, revoked, TextEngine } from "./_tools.ts";

/** Runs a body with a directory where nothing can be kept, so that each lookup has something to warn of. */
async function inVain(body: (directory: string) => Promise<void>): Promise<void> {
  await inDirectory(async (directory) => {
    writeFileSync(`${directory}/v1`, "a file");
    await body(directory);
  });
}

/** What a body prints as errors. */
async function complaints(body: () => Promise<void>): Promise<string[]> {
  const said: string[] = [];
  const { mock: printed } = mock.method(console, "error", (...line: unknown[]) => said.push(line.join(" ")));
  try {
    await body();
  } finally {
    printed.restore();
  }
  return said;
}

bothWays("an onWarning that fails breaks neither the lookup nor the program", async (resolve) => {
  const failures: (() => unknown)[] = [
    () => {
      throw new Error("the logger is down");
    },
    () => {
      throw Object.create(null);
    },
    () => Promise.reject(new Error("the logger is down")),
    () => Promise.reject(revoked()),
    () => ({
      get then() {
        throw new Error("no thenable");
      },
    }),
  ];
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", listener);
  const said = await complaints(async () => {
    for (const onWarning of failures) {
      await inVain(async (directory) => {
        const cache = new ModuleCache({ engine: new TextEngine(), directory, onWarning });
        assertEquals((await resolve(cache, bytes("a"))).from, "compiled");
      });
    }
    // A rejection that nobody takes is told of after the task in which it came.
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
  process.off("unhandledRejection", listener);
  // What is no promise, whatever its "then" throws, has not failed.
  assertEquals([unhandled.length, said.length], [0, failures.length - 1]);
});

bothWays("a console that throws breaks neither the lookup nor the write", async (resolve) => {
  const refuse = () => {
    throw new Error("nobody prints here");
  };
  const mocks = [mock.method(console, "warn", refuse), mock.method(console, "error", refuse)];
  try {
    await inVain(async (directory) => {
      for (const onWarning of [undefined, () => Promise.reject(new Error("the logger is down"))]) {
        const cache = new ModuleCache({ directory, onWarning });
        assertEquals((await resolve(cache, EMPTY_MODULE)).from, "compiled");
        await cache.flush();
      }
    });
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
});

bothWays(
  "faults of an engine that never says the same twice are warned of, and not remembered for ever",
  async (resolve) => {
    await inDirectory(async (directory) => {
      let fails = 0;
      const codes: string[] = [];
      const engine = new TextEngine();
      engine.serialize = () => {
        throw new Error(`${fails++ % 3000} ${"x".repeat(100_000)}`);
      };
      const cache = new ModuleCache({ engine, directory, maxEntries: 0, onWarning: ({ code }) => codes.push(code) });
      for (let i = 0; i < 3000; i++) await resolve(cache, bytes("a"));
      assertEquals([codes.length, new Set(codes)], [3000, new Set(["SERIALIZE"])]);
      // All of them once more: a memory that holds every one, of 300 MB, would not warn again.
      await resolve(cache, bytes("a"));
      assertEquals(codes.length, 3001);
    });
  },
);

test("a fault that an engine's error came with keeps it as its cause", async () => {
  await inDirectory(async (directory) => {
    const thrown = revoked();
    const engine = new TextEngine();
    engine.serialize = () => {
      throw thrown;
    };
    const warnings: CacheError[] = [];
    const cache = new ModuleCache({ engine, directory, onWarning: (warning) => warnings.push(warning) });
    await cache.resolve(EMPTY_MODULE);
    assertEquals(warnings.map(({ code, cause }) => [code, cause === thrown]), [["SERIALIZE", true]]);
  });
});
