// Globals that test runners replace: fakes that stand still hold nothing up, and realms of their own get their own classes.

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { ModuleCache } from "@wasm/module-cache";
import { bothWays, bytes, EMPTY_MODULE, entriesIn, hitsOnly, inDirectory, text, TextEngine } from "../_tools.ts";

const options = { timeout: 20_000 };

/** Runs a body while timers and clocks stand still. */
async function standingStill<T>(body: () => Promise<T>): Promise<T> {
  const fakes: [object, string, unknown][] = [
    [globalThis, "setTimeout", () => 1],
    [globalThis, "clearTimeout", () => {}],
    [globalThis, "setInterval", () => 1],
    [globalThis, "queueMicrotask", () => {}],
    [globalThis, "structuredClone", undefined],
    [globalThis, "crypto", undefined],
    [globalThis, "TextEncoder", undefined],
    [globalThis, "TextDecoder", undefined],
    [
      globalThis,
      "Date",
      class extends Date {
        static override now = () => 0;
      },
    ],
    [performance, "now", () => 0],
  ];
  const undo = fakes.map(([owner, name, value]) => {
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, { configurable: true, writable: true, value });
    return () =>
      descriptor ? Object.defineProperty(owner, name, descriptor) : Reflect.deleteProperty(owner as never, name);
  });
  try {
    return await body();
  } finally {
    for (const step of undo) step();
  }
}

test("globals that are made when they are first read are not read at the import", options, async () => {
  const read: string[] = [];
  const anew = new URL("../../src/platform/globals.ts?anew", import.meta.url).href;
  const undo = ["crypto", "setTimeout", "clearTimeout"].map((name) => {
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, name)!;
    const value = (globalThis as Record<string, unknown>)[name];
    Object.defineProperty(globalThis, name, { configurable: true, get: () => (read.push(name), value) });
    return () => Object.defineProperty(globalThis, name, descriptor);
  });
  try {
    const { crypto, setTimer } = await import(anew);
    assertEquals(read, []);
    await new Promise<void>((resolve) => setTimer(resolve, 0));
    assertEquals(crypto.randomUUID().length, 36);
  } finally {
    for (const step of undo) step();
  }
});

test("a lookup stops waiting for a lock while the globals' timers stand still", options, async () => {
  await inDirectory(async (directory) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = Object.assign(new TextEngine(), {
      compile: async (code: Uint8Array) => {
        await promise;
        return { text: text(code) };
      },
    });
    const code = bytes("a");
    const holder = new ModuleCache({ engine: slow, directory }).resolve(code);
    const from = await standingStill(async () => {
      const engine = Object.assign(new TextEngine(), ascii);
      const cache = new ModuleCache({ engine, directory, lockTimeoutMs: 50, onWarning: () => {} });
      return (await cache.resolve(code)).from;
    });
    resolve();
    await holder;
    assertEquals(from, "compiled");
  });
});

test("what is written behind the caller is written while the globals' timers stand still", options, async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory });
    const code = [...EMPTY_MODULE, 0, 2, 1, 98];
    // Twice: what the first leaves waiting must not keep the second from being written.
    for (const last of [1, 2]) {
      await standingStill(async () => void (await cache.resolve(Uint8Array.from([...code, 0, 2, 1, last]))));
      while (entriesIn(directory).length < last) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
});

bothWays("a lookup needs none of the globals that test runners replace", async (resolve) => {
  await inDirectory(async (directory) => {
    const engine = Object.assign(new TextEngine(), ascii);
    const code = bytes("a");
    const from = await standingStill(async () => {
      await resolve(new ModuleCache({ engine, directory }), code);
      return (await resolve(new ModuleCache({ engine: hitsOnly(engine), directory }), code)).from;
    });
    assertEquals(from, "disk");
  });
});

/** The same engine's members without the text coders, which are gone. */
const ascii = {
  compile: (code: Uint8Array) => ({ text: String.fromCharCode(...code) }),
  serialize: (module: { text: string }) => Uint8Array.from(module.text, (letter) => letter.charCodeAt(0)),
  deserialize: (artifact: Uint8Array) => ({ text: String.fromCharCode(...artifact) }),
};
