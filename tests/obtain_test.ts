// The second half of a lookup before engines that throw, give and return odd values: they get no further than the call.

import { assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { type Engine, ModuleCache } from "@wasm/module-cache";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { detectPlatform } from "../src/platform/detect.ts";
import { withWatches } from "./faults/_runtime_calls.ts";
import { Watch } from "./faults/_watch.ts";
import {
  bothWays,
  bytes,
  entriesIn,
  inDirectory,
  onlyEntry,
  provenanceAndText,
  revoked,
  TextEngine,
  type TextModule,
} from "./_tools.ts";

/** What an engine may throw. */
const THROWN: Record<string, () => unknown> = {
  "undefined": () => undefined,
  "a symbol": () => Symbol("s"),
  "an object without a text": () => Object.create(null),
  "an object whose text throws": () => ({
    toString() {
      throw new Error("no text");
    },
  }),
  "a revoked proxy": revoked,
  "a proxy whose traps throw": () =>
    new Proxy({}, {
      get() {
        throw new Error("get");
      },
      getPrototypeOf() {
        throw new Error("getPrototypeOf");
      },
    }),
  "an error whose code throws": () =>
    Object.defineProperty(new Error("odd"), "code", {
      get() {
        throw new Error("code");
      },
    }),
  "an error of another realm": () => Object.assign(Object.create({ name: "TypeError" }), { message: "odd" }),
};

/** An engine one of whose members does as it is told. */
function engineWith(member: "compile" | "serialize" | "deserialize", call: () => unknown): Engine<TextModule> {
  return Object.assign(new TextEngine(), { [member]: call }) as unknown as Engine<TextModule>;
}

for (const [name, thrown] of Object.entries(THROWN)) {
  for (const isRejected of [false, true]) {
    bothWays(
      `an engine that ${isRejected ? "rejects with" : "throws"} ${name} costs the entry at most`,
      async (resolve) => {
        const call = () => {
          if (isRejected) return Promise.reject(thrown());
          throw thrown();
        };
        for (const member of ["serialize", "deserialize"] as const) {
          await inDirectory(async (directory) => {
            await resolve(new ModuleCache({ engine: new TextEngine(), directory }), bytes("there"));
            const codes: string[] = [];
            const onWarning = ({ code }: { code: string }) => codes.push(code);
            const cache = new ModuleCache({ engine: engineWith(member, call), directory, onWarning });
            for (const code of ["there", "new"]) {
              const { module, from } = await resolve(cache, bytes(code));
              assertEquals([module.text, from === "memory"], [code, false]);
            }
            assertEquals(codes.every((code) => code === "SERIALIZE"), true, codes.join());
          });
        }
      },
    );
  }
}

for (const [name, thrown] of Object.entries(THROWN)) {
  bothWays(`what compile throws reaches the caller as it is: ${name}`, async (resolve) => {
    const value = thrown();
    const engine = engineWith("compile", () => {
      throw value;
    });
    const cache = new ModuleCache({ engine, onWarning: () => {} });
    let caught: unknown = "nothing";
    try {
      await resolve(cache, bytes("a"));
    } catch (error) {
      caught = error;
    }
    // Not by assertEquals: it would look at it.
    assertEquals(Object.is(caught, value), true);
  });
}

bothWays("a module that cannot be looked at is one all the same", async (resolve) => {
  const module = {
    get then(): never {
      throw new Error("not a promise");
    },
  };
  const engine = engineWith("compile", () => module);
  assertEquals((await resolve(new ModuleCache({ engine }), bytes("a"))).module === module as unknown, true);
});

/** Artifacts that are not what they say; what is kept of each, or nothing. */
const ARTIFACTS: Record<string, [() => unknown, number | undefined]> = {
  "a subclass that lies of its length": [
    () =>
      new (class extends Uint8Array {
        override get length() {
          return 1e9;
        }
      })([1, 2, 3]),
    3,
  ],
  "a view whose memory was transferred away": [() => {
    const view = Uint8Array.of(1, 2, 3);
    structuredClone(view.buffer, { transfer: [view.buffer] });
    return view;
  }, undefined],
  "a proxy of bytes": [() => new Proxy(Uint8Array.of(1), {}), undefined],
  "bytes of another kind": [() => Uint16Array.of(1), undefined],
  "shared memory": [() => new Uint8Array(new SharedArrayBuffer(4)), 4],
};

for (const [name, [artifact, kept]] of Object.entries(ARTIFACTS)) {
  bothWays(`an artifact is kept as the bytes that it has: ${name}`, async (resolve) => {
    await inDirectory(async (directory) => {
      const codes: string[] = [];
      const onWarning = ({ code }: { code: string }) => codes.push(code);
      const cache = new ModuleCache({ engine: engineWith("serialize", artifact), directory, onWarning });
      assertEquals((await resolve(cache, bytes("a"))).module.text, "a");
      const isKept = kept !== undefined;
      assertEquals([entriesIn(directory).length, codes], [isKept ? 1 : 0, isKept ? [] : ["SERIALIZE"]]);
      const seen = new Set<number>();
      const reader = engineWith("deserialize", () => undefined);
      reader.deserialize = (bytes) => (seen.add(bytes.length), undefined);
      if (isKept) await resolve(new ModuleCache({ engine: reader, directory }), bytes("a"));
      assertEquals([...seen], isKept ? [kept] : []);
    });
  });
}

test("what a synchronous lookup could not write without waiting, an asynchronous one writes without compiling", async () => {
  await inDirectory(async (directory) => {
    const text = new TextEngine();
    const engine: Engine<TextModule> = {
      id: text.id,
      compile: (code) => text.compile(code),
      serialize: (module) => Promise.resolve(text.serialize(module)),
      deserialize: (artifact) => text.deserialize(artifact),
    };
    const cache = new ModuleCache({ engine, directory, strict: true });
    for (const from of ["compiled", "memory", "memory"]) {
      assertEquals(cache.resolveSync(bytes("code")).from, from);
      assertEquals(entriesIn(directory), []);
    }
    for (const entries of [1, 1]) {
      assertEquals((await cache.resolve(bytes("code"))).from, "memory");
      assertEquals(entriesIn(directory).length, entries);
    }
    cache.clearMemory();
    assertEquals(cache.resolveSync(bytes("code")).from, "disk");
    assertEquals([text.compiles, cache.stats().writes], [1, 1]);
  });
});

function fail(): never {
  throw new Error("the engine failed");
}

test("codes of one stripe do not wait for each other in one process", async () => {
  await inDirectory(async (directory) => {
    let release: (() => void) | undefined;
    const engine = new TextEngine();
    // The keys of these two begin with the same two digits.
    const slow: Engine<TextModule> = {
      id: engine.id,
      compile: async (code) => {
        if (code.length === 1) await new Promise<void>((resolve) => release = resolve);
        return engine.compile(code);
      },
      serialize: (module) => engine.serialize(module),
      deserialize: (artifact) => engine.deserialize(artifact),
    };
    const cache = new ModuleCache({ engine: slow, directory, strict: true, lockTimeoutMs: 50 });
    const first = cache.resolve(bytes("a"));
    while (!release) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = await cache.resolve(bytes("g4"));
    assertStrictEquals(second.from, "compiled");
    release();
    const { key } = await first;
    assertStrictEquals(key.slice(0, 2), second.key.slice(0, 2));
    assertStrictEquals(entriesIn(directory).length, 2);
  });
});

test("resolveSync with an engine that can only deserialize asynchronously leaves the entry alone", async () => {
  await inDirectory(async (directory) => {
    const quick = new TextEngine();
    const engine: Engine<TextModule> = {
      id: quick.id,
      compile: (code) => quick.compile(code),
      serialize: (module) => quick.serialize(module),
      deserialize: (artifact) => Promise.resolve(quick.deserialize(artifact)),
    };
    await new ModuleCache({ engine, directory }).resolve(bytes("hello"));
    const { ino } = statSync(onlyEntry(directory));
    const { from, reason } = new ModuleCache({ engine, directory, strict: true }).resolveSync(bytes("hello"));
    assertStrictEquals(from, "compiled");
    assertMatch(reason!, /deserializeSync/);
    assertStrictEquals(statSync(onlyEntry(directory)).ino, ino);
  });
});

bothWays("two engines in one directory never share an entry", (resolve) =>
  inDirectory(async (directory) => {
    const keys = new Set<string>();
    for (const id of ["a/b", "a_b", "a\\b", "../a", "A/B"]) {
      const engine = new TextEngine(id);
      const resolved = await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
      assertStrictEquals(resolved.from, "compiled", id);
      keys.add(resolved.key);
    }
    assertEquals([keys.size, entriesIn(directory).length], [5, 5]);
  }));

bothWays("an entry put in the place of another is not taken for it", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine(), directory, onWarning: () => {} });
    await resolve(cache, bytes("one"));
    const one = onlyEntry(directory);
    await resolve(cache, bytes("two"));
    const two = entriesIn(directory).find((path) => path !== one)!;
    writeFileSync(one, readFileSync(two));
    cache.clearMemory();
    assertEquals(await provenanceAndText(resolve(cache, bytes("one"))), ["recompiled", "one"]);
  }));

bothWays("an entry that the engine does not take is made again", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
    for (
      const { deserialize, warned } of [{ deserialize: () => undefined, warned: [] }, {
        deserialize: fail,
        warned: ["SERIALIZE"],
      }]
    ) {
      const warnings: string[] = [];
      const picky = Object.assign(new TextEngine(), { deserialize });
      const cache = new ModuleCache({ engine: picky, directory, onWarning: ({ code }) => warnings.push(code) });
      assertEquals(await provenanceAndText(resolve(cache, bytes("hello"))), ["recompiled", "hello"]);
      assertEquals(warnings, warned);
    }
  }));

bothWays(
  "an engine that cannot serialize costs the entry, not the module",
  (resolve) =>
    inDirectory(async (directory) => {
      const failing: (() => Uint8Array | undefined)[] = [() => undefined, fail, () => "text" as unknown as Uint8Array];
      for (const serialize of failing) {
        const engine = Object.assign(new TextEngine(), { serialize });
        const warnings: string[] = [];
        const cache = new ModuleCache({ engine, directory, onWarning: ({ code }) => warnings.push(code) });
        assertEquals(await provenanceAndText(resolve(cache, bytes("hello"))), ["compiled", "hello"]);
        assertEquals(warnings, serialize === failing[0] ? [] : ["SERIALIZE"]);
      }
      assertEquals(entriesIn(directory), []);
    }),
);

test("resolveSync says what an asynchronous engine lacks", async () => {
  await inDirectory((directory) => {
    const engine: Engine<string> = {
      id: "async",
      compile: () => Promise.reject(new Error("nobody waits for this")),
      serialize: () => undefined,
      deserialize: () => undefined,
    };
    const cache = new ModuleCache({ engine, directory });
    return assertRejects(async () => await cache.resolveSync(bytes("a")), TypeError, "compileSync");
  });
});

test("a lookup counts the lock that it takes", async () => {
  await inDirectory(async (directory) => {
    const { tryLock, tryLockAsync = tryLock } = detectPlatform().files!;
    const cache = new ModuleCache({ engine: new TextEngine(), directory, strict: true });
    await cache.resolve(bytes("a"));
    cache.resolveSync(bytes("b"));
    const { locks, lockTimeouts } = cache.stats();
    assertEquals([locks, lockTimeouts], [(tryLockAsync ? 1 : 0) + (tryLock ? 1 : 0), 0]);
  });
});

test("an engine whose artifacts are made later has nobody wait for them", async () => {
  await inDirectory(async (directory) => {
    const engine = () => Object.assign(new TextEngine(), { deferred: true, serialize: () => undefined });
    const cache = new ModuleCache({ engine: engine(), directory, strict: true });
    const { from } = await cache.resolve(bytes("a"));
    assertEquals([from, cache.stats().locks], ["compiled", 0]);
  });
});

bothWays(
  "a lookup counts an entry that cannot be written",
  (resolve) =>
    inDirectory(async (directory) => {
      const cache = new ModuleCache({ engine: new TextEngine(), directory, onWarning: () => {} });
      await resolve(cache, bytes("a"));
      const counted = () => {
        const { writes, writeFailures } = cache.stats();
        return [writes, writeFailures];
      };
      assertEquals(counted(), [1, 0]);
      await withWatches(async () => {
        const watch = new Watch(directory, (_at, { label }) => label === "write temporary" ? "ENOSPC" : undefined);
        await watch.during(() => resolve(cache, bytes("b")));
      });
      assertEquals(counted(), [1, 1]);
    }),
);
