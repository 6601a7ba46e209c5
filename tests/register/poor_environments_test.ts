// What the environment lacks, and wrong use: misses, warnings, strict mode, clear errors.

import { openContext } from "../../src/context.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  CacheError,
  type CacheWarning,
  type Engine,
  hostEngine,
  ModuleCache,
  type ModuleCacheOptions,
  prepared,
} from "@wasm/module-cache";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { runAsync, runSync } from "../../src/effect.ts";
import { lookup } from "../../src/lookup.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import { withWatches } from "../faults/_runtime_calls.ts";
import { Watch } from "../faults/_watch.ts";
import { WASM, withServer } from "../_server.ts";
import {
  bothWays,
  bytes,
  EMPTY_MODULE,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  type Resolve,
  TextEngine,
  type TextModule,
} from "../_tools.ts";

/** Another than the empty one. */
const OTHER_MODULE = Uint8Array.of(...EMPTY_MODULE, 0, 2, 1, 118);

/** Looks up with a cache that cannot use its directory: the module comes all the same, with one warning. */
async function expectCompiledWithOneWarning(resolve: Resolve, directory: string): Promise<void> {
  const warnings: CacheWarning[] = [];
  const options = { engine: new TextEngine(), directory };
  const cache = new ModuleCache({ ...options, onWarning: (warning) => warnings.push(warning) });
  for (const name of ["one", "two", "three"]) {
    assertStrictEquals((await resolve(cache, bytes(name))).from, "compiled");
    assertStrictEquals((await resolve(cache, bytes(name))).from, "memory");
  }
  assertEquals(warnings.map(({ code }) => code), ["IO"]);
  assert(warnings[0]!.path !== undefined && warnings[0]!.cause !== undefined);
  const { disk, reason } = cache.status();
  assertStrictEquals(disk, "off");
  assertMatch(reason!, /Cannot/);
  const strict = new ModuleCache({ ...options, strict: true });
  const error = await assertRejects(() => resolve(strict, bytes("one")), CacheError);
  assertStrictEquals(error.code, "IO");
}

bothWays("a directory that is a file costs the disk, not the module", (resolve) =>
  inDirectory(async (directory) => {
    writeFileSync(`${directory}/file`, "not a directory");
    await expectCompiledWithOneWarning(resolve, `${directory}/file`);
    assertEquals(readdirSync(directory), ["file"]);
  }));

bothWays("a directory that cannot be made costs the disk, not the module", async (resolve) => {
  if (process.platform === "linux") await expectCompiledWithOneWarning(resolve, "/proc/none/at/all");
});

bothWays(
  "a directory is made where it is missing, from a path and from a URL",
  (resolve) =>
    inDirectory(async (directory) => {
      for (const given of [`${directory}/a/b c/ü`, pathToFileURL(`${directory}/d/e f/ö`)]) {
        const cache = new ModuleCache({ engine: new TextEngine(), directory: given });
        assertStrictEquals((await resolve(cache, bytes("hello"))).from, "compiled");
        assertEquals(cache.status(), { disk: "read-write" });
      }
      assertStrictEquals(entriesIn(directory).length, 2);
      assertStrictEquals(readdirSync(`${directory}/a/b c/ü`).includes("CACHEDIR.TAG"), true);
    }),
);

bothWays("a directory removed while in use is made again", (resolve) =>
  inDirectory(async (directory) => {
    const path = `${directory}/cache`;
    const cache = new ModuleCache({ engine: new TextEngine(), directory: path, onWarning: () => {} });
    await resolve(cache, bytes("one"));
    rmSync(path, { recursive: true });
    assertStrictEquals((await resolve(cache, bytes("two"))).from, "compiled");
    cache.clearMemory();
    assertStrictEquals((await resolve(cache, bytes("two"))).from, "disk");
  }));

bothWays(
  "a directory removed while in use is whole again, with its tag and locks",
  (resolve) =>
    inDirectory(async (directory) => {
      const path = `${directory}/cache`;
      const cache = new ModuleCache({ engine: new TextEngine(), directory: path, strict: true });
      await resolve(cache, bytes("one"));
      const names = () => [...readdirSync(path), ...readdirSync(`${path}/v1`)].sort();
      // The stamp of a prune comes with the next one.
      const before = names().filter((name) => name !== "pruned");
      rmSync(path, { recursive: true });
      assertStrictEquals((await resolve(cache, bytes("two"))).from, "compiled");
      assertEquals(names(), before);
    }),
);

/** Engines that have entries written behind the lookup, or when it ends. */
const ENGINES: Record<string, () => Engine<unknown>> = {
  host: hostEngine,
  prepared: () => prepared(hostEngine(), { id: "same", prepare: (code) => code }),
};

for (const [name, engine] of Object.entries(ENGINES)) {
  bothWays(
    `a directory removed behind a lookup stays away, and the next lookup makes it, ${name} engine`,
    (resolve) =>
      inDirectory(async (directory) => {
        const path = `${directory}/a/b/cache`;
        for (const strict of [false, true]) {
          const warnings: CacheWarning[] = [];
          const onWarning = (warning: CacheWarning) => warnings.push(warning);
          const cache = new ModuleCache({ engine: engine(), directory: path, strict, onWarning });
          await resolve(cache, EMPTY_MODULE);
          rmSync(`${directory}/a`, { recursive: true });
          await cache.flush();
          assertEquals([readdirSync(directory), warnings], [[], []]);
          const { writeFailures, writes } = cache.stats();
          assertEquals([writes, writeFailures], name === "host" ? [0, 1] : [1, 0]);
          await resolve(cache, OTHER_MODULE);
          await cache.flush();
          assertEquals([entriesIn(path).length, readdirSync(path).sort()], [1, ["CACHEDIR.TAG", "v1"]]);
          assertEquals(["locks", "tmp"].filter((folder) => !existsSync(`${path}/v1/${folder}`)), []);
          cache.clearMemory();
          assertStrictEquals((await resolve(cache, OTHER_MODULE)).from, "disk");
          rmSync(`${directory}/a`, { recursive: true });
        }
      }),
  );
}

bothWays("a directory removed before any call of a write behind the lookup stays away", async (resolve) => {
  await withWatches(async () => {
    let at = 0;
    for (let isOver = false; !isOver; at++) {
      await inDirectory(async (directory) => {
        const path = `${directory}/a/cache`;
        const cache = new ModuleCache({ directory: path, strict: true });
        await resolve(cache, EMPTY_MODULE);
        const watch = new Watch(path, (i) => {
          if (i === at) rmSync(`${directory}/a`, { recursive: true });
          return undefined;
        });
        await watch.during(() => cache.flush());
        isOver = watch.calls.length <= at;
        if (!isOver) assertEquals(readdirSync(directory), [], `removed before ${watch.calls[at]!.label}`);
      });
    }
    assert(at > 5, `only ${at} calls`);
  });
});

test("what load keeps of a response is dropped where the directory was removed", async () => {
  const answer = () => ({ headers: { ...WASM, "cache-control": "max-age=60" }, body: EMPTY_MODULE });
  await withServer(answer, ({ url }) =>
    inDirectory(async (directory) => {
      for (const engine of Object.values(ENGINES)) {
        const path = `${directory}/a/cache`;
        const cache = new ModuleCache({ engine: engine(), directory: path, strict: true });
        await cache.load(`${url}/a.wasm`);
        rmSync(`${directory}/a`, { recursive: true });
        await cache.flush();
        assertEquals(readdirSync(directory), []);
        await cache.load(`${url}/b.wasm`);
        await cache.flush();
        assert(entriesIn(path).length > 1, "the next load keeps nothing");
        rmSync(`${directory}/a`, { recursive: true });
      }
    }));
});

test("prune, clear and delete make no directory", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory: `${directory}/none`, strict: true });
    assertEquals(await cache.prune(), { removedEntries: 0, removedBytes: 0, entries: 0, bytes: 0 });
    await cache.clear();
    assertStrictEquals(await cache.delete(EMPTY_MODULE), false);
    assertEquals(readdirSync(directory), []);
  });
});

for (const run of [runAsync, runSync]) {
  test(`a cache whose caller is gone finds its directory, or goes without, ${run.name}`, () =>
    inDirectory(async (directory) => {
      const settings = { engine: new TextEngine(), directory: `${directory}/cache`, strict: true };
      const open = () => openContext(settings, undefined, { mustExist: true });
      const context = open();
      assertStrictEquals((await run(lookup(context, bytes("one")))).from, "compiled");
      assertEquals([readdirSync(directory), context.counters.writeFailures], [[], 1]);
      new ModuleCache(settings).status();
      for (const from of ["compiled", "disk"]) assertStrictEquals((await run(lookup(open(), bytes("one")))).from, from);
    }));
}

bothWays(
  "what was wrong with the directory is forgotten once it is right",
  (resolve) =>
    inDirectory(async (directory) => {
      const path = `${directory}/cache`;
      writeFileSync(path, "not a directory");
      const cache = new ModuleCache({ engine: new TextEngine(), directory: path, onWarning: () => {} });
      await resolve(cache, bytes("one"));
      assertStrictEquals(cache.status().disk, "off");
      rmSync(path);
      await resolve(cache, bytes("two"));
      assertEquals(cache.status(), { disk: "read-write" });
      cache.clearMemory();
      assertStrictEquals((await resolve(cache, bytes("two"))).from, "disk");
    }),
);

bothWays("status does not change what lookups do", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    const early = new ModuleCache({ engine, directory: `${directory}/cache`, readOnly: true });
    assertStrictEquals(early.status().disk, "off");
    await resolve(new ModuleCache({ engine, directory: `${directory}/cache` }), bytes("hello"));
    assertStrictEquals((await resolve(early, bytes("hello"))).from, "disk");
  }));

bothWays("onWarning that throws breaks no lookup", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
    writeFileSync(onlyEntry(directory), "invalid module");
    const onWarning = () => {
      throw new Error("this goes to the console: an onWarning that throws");
    };
    assertStrictEquals(
      (await resolve(new ModuleCache({ engine, directory, onWarning }), bytes("hello"))).from,
      "recompiled",
    );
  }));

test("delete removes an entry even when the write of another failed in strict mode", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory, strict: true });
    const { key } = await cache.resolve(EMPTY_MODULE);
    await cache.flush();
    const other = Uint8Array.of(...EMPTY_MODULE, 0, 2, 1, 118);
    const blocked = await new ModuleCache().resolve(other);
    mkdirSync(
      onlyEntry(directory).replace(/[0-9a-f]{2}.[0-9a-f]{62}$/, `${blocked.key.slice(0, 2)}/${blocked.key.slice(2)}/x`),
      {
        recursive: true,
      },
    );
    await assertRejects(() => cache.resolve(other), CacheError);
    assertStrictEquals(await cache.delete(key), true);
  });
});

bothWays("readOnly reads what is there and writes nothing", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
    rmSync(`${directory}/v1/locks`, { recursive: true });
    rmSync(`${directory}/v1/tmp`, { recursive: true });
    const before = readdirSync(directory, { recursive: true });
    const cache = new ModuleCache({ engine, directory, readOnly: true, strict: true });
    assertStrictEquals(cache.status().disk, "read-only");
    assertStrictEquals((await resolve(cache, bytes("hello"))).from, "disk");
    assertStrictEquals((await resolve(cache, bytes("other"))).from, "compiled");
    assertStrictEquals(await cache.delete(bytes("hello")), true);
    await cache.clear();
    assertEquals(readdirSync(directory, { recursive: true }), before);
  }));

bothWays("readOnly does not make a directory that is missing", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: new TextEngine(), directory: `${directory}/none`, readOnly: true });
    assertStrictEquals((await resolve(cache, bytes("hello"))).from, "compiled");
    assertStrictEquals(cache.status().disk, "off");
    assertEquals(readdirSync(directory), []);
  }));

bothWays(
  "a directory without write permission is read, and one warning given",
  (resolve) =>
    inDirectory(async (directory) => {
      // The superuser may write everywhere; the fault suite covers what this cannot there.
      if (process.platform === "win32" || process.getuid!() === 0) return;
      const engine = new TextEngine();
      await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
      for (const path of ["", "v1", "v1/tmp", "v1/locks"]) chmodSync(`${directory}/${path}`, 0o500);
      const warnings: string[] = [];
      const cache = new ModuleCache({
        engine: hitsOnly(engine),
        directory,
        onWarning: ({ code }) => warnings.push(code),
      });
      assertStrictEquals((await resolve(cache, bytes("hello"))).from, "disk");
      assertEquals([cache.status().disk, warnings.length], ["read-only", 0]);
      for (const path of ["", "v1", "v1/tmp", "v1/locks"]) chmodSync(`${directory}/${path}`, 0o700);
    }),
);

/** Runs a body while no entry in a directory can be opened. */
async function closed(directory: string, body: () => Promise<void>): Promise<void> {
  await withWatches(async () => {
    await new Watch(directory, (_at, { label }) => label === "open entry" ? "EACCES" : undefined).during(body);
  });
}

bothWays("an entry that cannot be opened is a miss, and is left alone", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    await resolve(new ModuleCache({ engine, directory }), bytes("hello"));
    const path = onlyEntry(directory);
    const before = statSync(path);
    const warnings: CacheWarning[] = [];
    const cache = new ModuleCache({ engine, directory, onWarning: (warning) => warnings.push(warning) });
    await closed(directory, async () => {
      const { from, module } = await resolve(cache, bytes("hello"));
      assertEquals([from, module.text], ["compiled", "hello"]);
    });
    assertEquals(warnings.map(({ code, path }) => [code, path]), [["IO", path]]);
    assertEquals([entriesIn(directory), statSync(path).ino], [[path], before.ino]);
  }));

bothWays("one kind of fault is warned of once, whatever the entry", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    const codes = ["one", "two", "three"].map(bytes);
    for (const code of codes) await resolve(new ModuleCache({ engine, directory }), code);
    const warnings: string[] = [];
    const cache = new ModuleCache({ engine, directory, onWarning: ({ code }) => warnings.push(code) });
    await closed(directory, async () => {
      for (const code of codes) assertStrictEquals((await resolve(cache, code)).from, "compiled");
    });
    assertEquals(warnings, ["IO"]);
  }));

bothWays("strict mode throws for a corrupt entry", (resolve) =>
  inDirectory(async (directory) => {
    const engine = new TextEngine();
    const cache = new ModuleCache({ engine, directory, strict: true });
    await resolve(cache, bytes("hello"));
    writeFileSync(onlyEntry(directory), "invalid module");
    cache.clearMemory();
    const error = await assertRejects(() => resolve(cache, bytes("hello")), CacheError);
    assertEquals([error.code, error.path], ["CORRUPT", onlyEntry(directory)]);
    assertStrictEquals(await cache.delete(bytes("hello")), true);
    assertStrictEquals((await resolve(cache, bytes("hello"))).from, "compiled");
  }));

test("strict mode tells at flush of a write that nobody waited for", async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/cache`;
    writeFileSync(path, "not a directory");
    const cache = new ModuleCache({ directory: path, strict: true });
    await cache.compile(EMPTY_MODULE);
    assertStrictEquals((await assertRejects(() => cache.flush(), CacheError)).code, "IO");
    await cache.flush();
  });
});

test("a lock that is held for too long is done without, after one warning", async () => {
  await inDirectory(async (directory) => {
    const { files } = detectPlatform();
    if (!files?.tryLock) return;
    const warnings: string[] = [];
    const options: ModuleCacheOptions<TextModule> = { engine: new TextEngine(), directory, lockTimeoutMs: 50 };
    const cache = new ModuleCache({ ...options, onWarning: ({ code }) => warnings.push(code) });
    assertStrictEquals(cache.status().disk, "read-write");
    const { key } = await new ModuleCache({ engine: new TextEngine() }).resolve(bytes("hello"));
    const lock = files.tryLock(`${directory}/v1/locks/${key.slice(0, 2)}`).sync();
    assert(lock !== undefined);
    const { from, elapsedMs } = await cache.resolve(bytes("hello"));
    assertEquals([from, warnings, cache.stats().lockTimeouts], ["compiled", ["LOCK_TIMEOUT"], 1]);
    assert(elapsedMs >= 49);
    const strict = new ModuleCache({ ...options, strict: true });
    await strict.delete(key);
    const error = await assertRejects(() => strict.resolve(bytes("hello")), CacheError);
    assertStrictEquals(error.code, "LOCK_TIMEOUT");
    // A synchronous lookup tries once and goes on without a word.
    await cache.delete(key);
    assertEquals([cache.resolveSync(bytes("hello")).from, warnings.length], ["compiled", 1]);
    const hasty = new ModuleCache({ engine: new TextEngine(), directory, strict: true, lockTimeoutMs: 0 });
    await hasty.delete(key);
    assertStrictEquals(hasty.resolveSync(bytes("hello")).from, "compiled");
    lock.release();
  });
});

test("a wrong option is a TypeError or RangeError that says what is wanted", () => {
  const wrong: [Record<string, unknown>, typeof TypeError | typeof RangeError, string][] = [
    [{ engine: {} }, TypeError, "id"],
    [{ engine: { id: 7 } }, TypeError, "id"],
    [{ engine: null }, TypeError, "id"],
    [{ engine: new TextEngine("lone \ud800") }, TypeError, "well-formed"],
    [{ engine: Object.assign(new TextEngine(), { compileSync: 7 }) }, TypeError, "compileSync"],
    [{ engine: Object.assign(new TextEngine(), { deferred: 1 }) }, TypeError, "deferred"],
    [{ engine: Object.assign(new TextEngine(), { native: "yes" }) }, TypeError, "native"],
    [{ directory: 7 }, TypeError, "directory"],
    [{ secret: "word" }, TypeError, "secret"],
    [{ directory: "" }, TypeError, "directory"],
    [{ directory: "a\0b" }, TypeError, "directory"],
    [{ directory: new URL("https://example.com/cache") }, TypeError, "file:"],
    [{ maxEntries: "many" }, TypeError, "maxEntries"],
    [{ maxEntries: -1 }, RangeError, "maxEntries"],
    [{ maxEntries: 1.5 }, RangeError, "maxEntries"],
    [{ maxMemoryBytes: NaN }, RangeError, "maxMemoryBytes"],
    [{ lockTimeoutMs: -1 }, RangeError, "lockTimeoutMs"],
    [{ readOnly: "yes" }, TypeError, "readOnly"],
    [{ strict: 1 }, TypeError, "strict"],
    [{ onWarning: "log" }, TypeError, "onWarning"],
  ];
  for (const [options, errorClass, said] of wrong) {
    assertThrows(() => new ModuleCache(options as ModuleCacheOptions), errorClass, said);
  }
  assertThrows(() => new ModuleCache("dir" as ModuleCacheOptions), TypeError, "a string");
});

bothWays("bad code gets a clear error, and nothing is kept", (resolve) =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory, strict: true });
    for (const code of ["text", undefined, null, 7, {}, []]) {
      await assertRejects(() => resolve(cache, code as unknown as Uint8Array), TypeError, "Cannot read code");
    }
    for (
      const code of [new Uint8Array(), bytes("(module)"), EMPTY_MODULE.slice(0, 5), Uint8Array.of(...EMPTY_MODULE, 9)]
    ) {
      await assertRejects(() => resolve(cache, code), WebAssembly.CompileError);
    }
    await cache.flush();
    assertEquals([entriesIn(directory), cache.stats().memoryEntries], [[], 0]);
  }));
