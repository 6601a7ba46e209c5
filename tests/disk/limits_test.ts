// The limits of a directory: what a write waits for, when a prune comes behind it, and what the stamp says of the last.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError, type CacheWarning, ModuleCache } from "@wasm/module-cache";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { openContext, type Storage } from "../../src/context.ts";
import { type Effect, immediate, perform, runAsync, runSync } from "../../src/effect.ts";
import { lookup } from "../../src/lookup.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import type { Files, Platform } from "../../src/platform/platform.ts";
import { bothWays, bytes, EMPTY_MODULE, entriesIn, inDirectory, text, TextEngine, type TextModule } from "../_tools.ts";
import { age, bytesIn, ENTRY_BYTES, fill, HOUR_S, later, many, pruned, small } from "./_small.ts";

/** A limit of which the share that a cache may add between prunes is five small entries, and not quite six. */
const maxDiskBytes = 101 * ENTRY_BYTES;

/** Entries that a prune leaves of it. */
const LEFT = 80;

/** Whether this runtime has locks, so that of two prunes at once one is left out. */
const LOCKS = detectPlatform().files!.tryLock !== undefined;

/** This platform, with other files. */
function withFiles(change: (files: Files) => Partial<Files>): Platform {
  const platform = detectPlatform();
  const files: Files = Object.assign(Object.create(platform.files!), change(platform.files!));
  return { ...platform, files };
}

function failing<T>(code: string): Effect<T> {
  return immediate("fail", () => {
    throw Object.assign(new Error("injected"), { code });
  });
}

bothWays(
  "a write beyond the share waits for a prune, down to four fifths with what it adds",
  (resolve) =>
    inDirectory(async (directory) => {
      const paths = await fill(directory, "abcdefghij");
      // As if it was never used since.
      age(paths[4]!, 24 * HOUR_S);
      const cache = small(directory, { strict: true });
      await resolve(cache, bytes("k"));
      const isLeft = (i: number) => existsSync(paths[i]!);
      assertEquals([isLeft(4), isLeft(0), isLeft(2), entriesIn(directory).length <= 9], [false, false, true, true]);
      // Another write as long would have to wait again: what makes room for it comes behind.
      await cache.flush();
      assertEquals(paths.map((_, i) => isLeft(i)), paths.map((_, i) => ![0, 1, 4].includes(i)));
    }),
);

bothWays(
  "writes within the share wait for no prune, and the last of them has one come behind",
  (resolve) =>
    inDirectory(async (directory) => {
      many(directory, 100);
      pruned(directory, 0);
      const cache = small(directory, { strict: true, maxDiskBytes });
      for (let i = 1; i <= 4; i++) {
        await resolve(cache, bytes(String(i)));
        await cache.flush();
        assertStrictEquals(entriesIn(directory).length, 100 + i);
      }
      await resolve(cache, bytes("5"));
      await cache.flush();
      assertStrictEquals(entriesIn(directory).length, LEFT);
      // From there on it may add as much again.
      for (const code of "abcd") await resolve(cache, bytes(code));
      await cache.flush();
      assertStrictEquals(entriesIn(directory).length, LEFT + 4);
    }),
);

bothWays("a write that finds little removes nothing", (resolve) =>
  inDirectory(async (directory) => {
    await fill(directory, "abcdefgh");
    await resolve(small(directory, { strict: true }), bytes("k"));
    assertStrictEquals(entriesIn(directory).length, 9);
  }));

bothWays(
  "one cache never exceeds its limit, whatever it writes",
  (resolve) =>
    inDirectory(async (directory) => {
      const maxDiskBytes = 5000;
      const cache = small(directory, { strict: true, maxEntries: 0, maxDiskBytes });
      let most = 0;
      for (let i = 0; i < 60; i++) {
        // Now and then one of most of the limit.
        const length = i % 20 === 19 ? 4800 : (i * 37) % 700;
        const codes = Array.from({ length: 1 + i % 3 }, (_, n) => bytes(`${i} ${n}`.padEnd(length)));
        await Promise.all(codes.map((code) => resolve(cache, code)));
        most = Math.max(most, bytesIn(directory));
        if (i % 7 === 0) await cache.flush();
      }
      assert(most <= maxDiskBytes && most > 0.9 * maxDiskBytes, `${most} bytes`);
    }),
);

test("many writes at once keep to the limit", async () => {
  await inDirectory(async (directory) => {
    const cache = small(directory, { strict: true });
    const codes = Array.from({ length: 60 }, (_, i) => bytes(String.fromCharCode(0x41 + i)));
    await Promise.all(codes.map((code) => cache.resolve(code)));
    const sum = entriesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0);
    assert(sum <= 10 * ENTRY_BYTES && sum > 0, `${sum} bytes`);
    assertEquals(readdirSync(`${directory}/v1/tmp`), []);
  });
});

test("a write that has room but no file yet counts for those that make room", async () => {
  await inDirectory(async (directory) => {
    await fill(directory, "abcdefgh");
    const gate = Promise.withResolvers<void>();
    const platform = withFiles(({ create }) => ({
      create: (path, parts) => {
        const effect = create(path, parts);
        const isFirst = parts.some((part) => text(part).includes("artifact of A"));
        return isFirst ? { ...effect, async: () => gate.promise.then(effect.async) } : effect;
      },
    }));
    const context = openContext({ engine: new TextEngine(), directory, maxDiskBytes: 10 * ENTRY_BYTES }, platform);
    const slow = runAsync(lookup(context, bytes("A")));
    const others = ["B", "C"].map((letter) => runAsync(lookup(context, bytes(letter))));
    // A synchronous one does not wait for its turn.
    runSync(lookup(context, bytes("D")));
    gate.resolve();
    await Promise.all([slow, ...others]);
    assert(entriesIn(directory).length <= 10, `${entriesIn(directory).length} entries`);
  });
});

test("caches that write at once add a share each, or an entry for which each makes room", {
  timeout: 60_000,
}, async () => {
  await inDirectory(async (directory) => {
    const maxDiskBytes = 30_000;
    const caches = [1, 2, 3, 4, 5, 6].map(() => small(directory, { maxEntries: 0, maxDiskBytes, strict: true }));
    const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    let most = 0;
    const look = () => {
      try {
        most = Math.max(most, entriesIn(directory).reduce((sum, path) => sum + sizeOf(path), 0));
      } catch {
        // A prune removes empty folders under it: the next look sees as much.
      }
    };
    const use = async (cache: ModuleCache<TextModule>, i: number) => {
      for (let n = 0; n < 50; n++) {
        const code = bytes(`${i} ${n}`.padEnd(1000));
        if (i % 2) cache.resolveSync(code);
        else await cache.resolve(code);
        await new Promise((resolve) => setTimeout(resolve, 0));
        look();
      }
    };
    await Promise.all(caches.map(use));
    const entryBytes = ENTRY_BYTES - 1 + 1000;
    const bound = 0.8 * maxDiskBytes + caches.length * Math.max(maxDiskBytes / 20, entryBytes);
    // A prune makes room for the entry that is written next.
    assert(most >= 0.8 * maxDiskBytes - entryBytes && most <= bound, `${most} bytes, not ${bound}`);
  });
});

test("what a cache writes while it prunes counts as not seen", () =>
  inDirectory(async (directory) => {
    many(directory, 100);
    pruned(directory, 0);
    const gate = Promise.withResolvers<void>();
    const platform = withFiles(({ list }) => ({
      list: (path) => {
        const effect = list(path);
        return path.endsWith("/v1") ? { ...effect, async: () => gate.promise.then(effect.async) } : effect;
      },
    }));
    const context = openContext({ engine: new TextEngine(), directory, maxDiskBytes, strict: true }, platform);
    const { limits } = context.storage as Storage;
    const pruning = runAsync(limits.prune());
    for (const code of "1234") await runAsync(lookup(context, bytes(code)));
    assertEquals([entriesIn(directory).length, limits.isDue], [104, false]);
    gate.resolve();
    await pruning;
    assertStrictEquals(entriesIn(directory).length, LEFT);
    runSync(lookup(context, bytes("5")));
    assertStrictEquals(limits.isDue, true);
  }));

for (const isSync of [false, true]) {
  const way = isSync ? "sync" : "async";
  const look = async (directory: string, platform: Platform) => {
    const options = { engine: new TextEngine(), directory, maxDiskBytes, strict: true };
    const looking = lookup(openContext(options, platform), bytes("x"));
    await (isSync ? runSync(looking) : runAsync(looking));
  };

  test(`an entry has no room where others' unfinished files take it, ${way}`, () =>
    inDirectory(async (directory) => {
      many(directory, 10);
      const unfinished = `${directory}/v1/tmp/1-${crypto.randomUUID()}`;
      writeFileSync(unfinished, new Uint8Array(maxDiskBytes - ENTRY_BYTES + 1));
      const error = await assertRejects(() => look(directory, detectPlatform()), CacheError);
      assertEquals([error.code, error.path, entriesIn(directory)], ["LIMIT", `${directory}/v1`, []]);
      // To the byte.
      writeFileSync(unfinished, new Uint8Array(maxDiskBytes - ENTRY_BYTES));
      rmSync(`${directory}/v1/pruned`);
      await look(directory, detectPlatform());
      assertStrictEquals(entriesIn(directory).length, 1);
    }));

  test(`a stamp that cannot be looked for costs the entry, ${way}`, () =>
    inDirectory(async (directory) => {
      many(directory, 1);
      pruned(directory, 0);
      const platform = withFiles(({ listFiles }) => ({
        listFiles: (path, names) => path.endsWith("/v1") ? failing("EIO") : listFiles(path, names),
      }));
      const error = await assertRejects(() => look(directory, platform), CacheError);
      assertEquals([error.code, error.path, entriesIn(directory).length], ["IO", `${directory}/v1`, 1]);
    }));
}

test("two caches on one cold directory both write", async () => {
  await inDirectory(async (directory) => {
    for (let i = 0; i < 10; i++) {
      const path = `${directory}/${i}`;
      const caches = ["x", "y"].map((letter) => ({ letter, cache: small(path, { strict: true, maxDiskBytes }) }));
      await Promise.all(caches.map(({ letter, cache }) => cache.resolve(bytes(letter))));
      assertStrictEquals(entriesIn(path).length, 2);
    }
  });
});

bothWays("caches with different limits each keep to their own", (resolve) =>
  inDirectory(async (directory) => {
    many(directory, 50);
    pruned(directory, 0);
    await resolve(small(directory, { strict: true, maxDiskBytes }), bytes("a"));
    assertStrictEquals(entriesIn(directory).length, 51);
    const smaller = small(directory, { strict: true });
    await resolve(smaller, bytes("b"));
    await smaller.flush();
    assertStrictEquals(entriesIn(directory).length, 8);
    await resolve(small(directory, { strict: true, maxDiskBytes }), bytes("c"));
    assertStrictEquals(entriesIn(directory).length, 9);
  }));

bothWays(
  "an entry larger than the limit is not stored, with one warning",
  (resolve) =>
    inDirectory(async (directory) => {
      const codes: string[] = [];
      const cache = small(directory, { onWarning: ({ code }) => codes.push(code) });
      await resolve(cache, bytes("x"));
      for (const fill of ["y", "z"]) {
        assertStrictEquals((await resolve(cache, bytes(fill.repeat(5000)))).from, "compiled");
      }
      assertEquals([codes, cache.stats().writeFailures, entriesIn(directory).length], [["LIMIT"], 2, 1]);
      const strict = small(directory, { strict: true });
      const error = await assertRejects(() => resolve(strict, bytes("y".repeat(5000))), CacheError);
      assertEquals([error.code, error.path], ["LIMIT", `${directory}/v1`]);
    }),
);

bothWays(
  "with a limit of nothing, nothing is written and nothing looked for",
  (resolve) =>
    inDirectory(async (directory) => {
      const codes: string[] = [];
      const cache = small(directory, { maxDiskBytes: 0, onWarning: ({ code }) => codes.push(code) });
      for (const code of ["a", "b"]) await resolve(cache, bytes(code));
      await cache.flush();
      assertEquals([codes, entriesIn(directory), existsSync(`${directory}/v1/pruned`)], [["LIMIT"], [], false]);
    }),
);

/** Looks a code up with a cache of its own, as a process does that comes and goes; gives which files it went through. */
async function listed(directory: string, isSync: boolean, code = "x"): Promise<string[]> {
  const paths: string[] = [];
  const platform = withFiles(({ listFiles }) => ({
    listFiles: (path, names) => (paths.push(path.slice(directory.length)), listFiles(path, names)),
  }));
  const context = openContext({ engine: new TextEngine(), directory, maxDiskBytes, strict: true }, platform);
  if (isSync) runSync(lookup(context, bytes(code)));
  else await runAsync(lookup(context, bytes(code)));
  return paths;
}

for (const isSync of [false, true]) {
  const way = isSync ? "sync" : "async";

  test(`a cache reads a stamp of this hour once, and goes through nothing, ${way}`, () =>
    inDirectory(async (directory) => {
      await fill(directory, "abc");
      // Half an hour to come is what clocks of two machines may differ by.
      for (const seconds of [0, 0.9 * HOUR_S, -0.9 * HOUR_S]) {
        pruned(directory, seconds);
        assertEquals(await listed(directory, isSync, `${seconds}`), ["/v1"]);
      }
    }));

  test(`a write waits for a prune where the stamp is missing, a day old or still to come, ${way}`, () =>
    inDirectory(async (directory) => {
      for (const seconds of [undefined, 24.1 * HOUR_S, -24.1 * HOUR_S, 365 * 24 * HOUR_S]) {
        const [old = ""] = await fill(directory, "a");
        age(old, 31 * 24 * HOUR_S);
        if (seconds === undefined) rmSync(`${directory}/v1/pruned`);
        else pruned(directory, seconds);
        const paths = await listed(directory, isSync, `${seconds}`);
        assert(paths.length > 2 && !existsSync(old), `${paths} at ${seconds}`);
        assert(Math.abs(statSync(`${directory}/v1/pruned`).mtimeMs - Date.now()) < 60_000);
      }
    }));
}

for (const isSync of [false, true]) {
  test(`a prune comes behind the first write after an hour, once for all processes, ${isSync ? "sync" : "async"}`, () =>
    inDirectory(async (directory) => {
      for (const seconds of [1.1 * HOUR_S, 23.9 * HOUR_S, -1.1 * HOUR_S]) {
        const [old = ""] = await fill(directory, "a");
        age(old, 31 * 24 * HOUR_S);
        mkdirSync(`${directory}/v1/gone-0123456789abcdef`);
        pruned(directory, seconds);
        let stamps = 0;
        const platform = withFiles(({ rename }) => ({
          rename: (from, to) => (stamps += to.endsWith("/pruned") ? 1 : 0, rename(from, to)),
        }));
        const open = () => openContext({ engine: new TextEngine(), directory, maxDiskBytes, strict: true }, platform);
        // It is due for both: each looks before the other prunes.
        const contexts = [open(), open()];
        for (const [i, context] of contexts.entries()) {
          const looking = lookup(context, bytes(`${i} ${seconds}`));
          await (isSync ? runSync(looking) : runAsync(looking));
        }
        await Promise.all(contexts.map(({ storage }) => (storage as Storage).behind.flush()));
        assertEquals(existsSync(`${directory}/v1/gone-0123456789abcdef`), false);
        assertEquals([existsSync(old), stamps > 0, stamps <= (LOCKS ? 1 : 2)], [false, true, true]);
        assert(Math.abs(statSync(`${directory}/v1/pruned`).mtimeMs - Date.now()) < 60_000);
      }
    }));
}

test("a synchronous lookup does not wait for a prune that comes behind it", () =>
  inDirectory(async (directory) => {
    const [old = ""] = await fill(directory, "a");
    age(old, 31 * 24 * HOUR_S);
    pruned(directory, 23.9 * HOUR_S);
    const cache = small(directory, { strict: true, maxDiskBytes });
    cache.resolveSync(bytes("x"));
    assertStrictEquals(existsSync(old), true);
    await cache.flush();
    assertStrictEquals(existsSync(old), false);
  }));

bothWays(
  "a cache that lives for long prunes every hour that it writes in, unless others did",
  (resolve) =>
    inDirectory(async (directory) => {
      const cache = small(directory, { strict: true, maxDiskBytes });
      const write = async (code: string) => {
        const [old = ""] = await fill(directory, "a", new TextEngine("other"));
        age(old, 31 * 24 * HOUR_S);
        await resolve(cache, bytes(code));
        await cache.flush();
        return existsSync(old);
      };
      await write("first");
      assertStrictEquals(await write("second"), true);
      await later(1.1 * HOUR_S, async () => assertStrictEquals(await write("third"), false));
      await later(2.3 * HOUR_S, async () => {
        pruned(directory, 0.5 * HOUR_S);
        assertStrictEquals(await write("fourth"), true);
      });
      // An hour after what others did.
      await later(2.5 * HOUR_S, async () => assertStrictEquals(await write("fifth"), true));
      await later(2.9 * HOUR_S, async () => assertStrictEquals(await write("sixth"), false));
    }),
);

bothWays(
  "what the stamp holds is nobody's business, and an empty folder in its place goes",
  (resolve) =>
    inDirectory(async (directory) => {
      const stamp = `${directory}/v1/pruned`;
      const [old = ""] = await fill(directory, "a");
      age(old, 31 * 24 * HOUR_S);
      writeFileSync(stamp, "garbage".repeat(10_000));
      await resolve(small(directory, { strict: true, maxDiskBytes }), bytes("x"));
      assertStrictEquals(existsSync(old), true);
      rmSync(stamp);
      mkdirSync(stamp);
      await resolve(small(directory, { strict: true, maxDiskBytes }), bytes("y"));
      assertEquals([existsSync(old), lstatSync(stamp).isFile(), lstatSync(stamp).size], [false, true, 0]);
    }),
);

bothWays(
  "a folder with something in the stamp's place costs one warning and one prune a cache",
  (resolve) =>
    inDirectory(async (directory) => {
      const stamp = `${directory}/v1/pruned`;
      const [old = ""] = await fill(directory, "a");
      age(old, 31 * 24 * HOUR_S);
      rmSync(stamp);
      mkdirSync(`${stamp}/mine`, { recursive: true });
      const warnings: CacheWarning[] = [];
      const cache = small(directory, { maxDiskBytes, onWarning: (warning) => warnings.push(warning) });
      await resolve(cache, bytes("x"));
      assertEquals([existsSync(old), cache.stats().writes], [false, 1]);
      age(entriesIn(directory)[0]!, 31 * 24 * HOUR_S);
      await resolve(cache, bytes("y"));
      await cache.flush();
      assertEquals([entriesIn(directory).length, readdirSync(stamp)], [2, ["mine"]]);
      assertEquals(warnings.map(({ code, path }) => [code, path]), [["IO", stamp]]);
      const error = await assertRejects(() => cache.prune(), CacheError);
      assertEquals([error.code, entriesIn(directory).length], ["IO", 1]);
    }),
);

bothWays("a link in the stamp's place is not followed, and replaced", (resolve) =>
  inDirectory(async (directory) => {
    if (process.platform === "win32") return;
    const stamp = `${directory}/v1/pruned`;
    const [old = ""] = await fill(directory, "a");
    age(old, 31 * 24 * HOUR_S);
    rmSync(stamp);
    // What it leads to is new.
    writeFileSync(`${directory}/precious`, "untouched");
    utimesSync(`${directory}/precious`, 1_600_000_000, Date.now() / 1000 - 10);
    const { mtimeMs } = statSync(`${directory}/precious`);
    symlinkSync(`${directory}/precious`, stamp);
    await resolve(small(directory, { strict: true, maxDiskBytes }), bytes("x"));
    assertEquals([existsSync(old), lstatSync(stamp).isFile()], [false, true]);
    assertStrictEquals(readFileSync(`${directory}/precious`, "utf8"), "untouched");
    assertStrictEquals(statSync(`${directory}/precious`).mtimeMs, mtimeMs);
  }));

bothWays(
  "many short processes add a share each at most, until the stamp is old",
  (resolve) =>
    inDirectory(async (directory) => {
      many(directory, 100);
      pruned(directory, 0);
      for (let i = 0; i < 10; i++) await resolve(small(directory, { strict: true, maxDiskBytes }), bytes(String(i)));
      assertStrictEquals(entriesIn(directory).length, 110);
      // A day long all of them ended before what was to come behind.
      pruned(directory, 24.1 * HOUR_S);
      await resolve(small(directory, { strict: true, maxDiskBytes }), bytes("a"));
      assertStrictEquals(entriesIn(directory).length, LEFT + 1);
    }),
);

test("prune sets the stamp; a dry run, a read-only cache, status and clear leave it", async () => {
  await inDirectory(async (directory) => {
    const stamp = `${directory}/v1/pruned`;
    await fill(directory, "a");
    pruned(directory, 5 * HOUR_S);
    const { mtimeMs } = statSync(stamp);
    const cache = small(directory, { strict: true });
    await small(directory, { strict: true, readOnly: true }).prune();
    await cache.prune({ dryRun: true });
    await cache.status();
    await cache.clear();
    assertStrictEquals(statSync(stamp).mtimeMs, mtimeMs);
    await cache.prune();
    assert(Math.abs(statSync(stamp).mtimeMs - Date.now()) < 60_000);
  });
});

for (const isSync of [false, true]) {
  test(`a prune that cannot look costs the write beyond the share, and is tried again, ${isSync ? "sync" : "async"}`, () =>
    inDirectory(async (directory) => {
      many(directory, 100);
      pruned(directory, 0);
      let isBroken = true;
      const platform = withFiles(({ list }) => ({
        list: (path) => isBroken && path.endsWith("/v1") ? failing("EIO") : list(path),
      }));
      const context = openContext({ engine: new TextEngine(), directory, maxDiskBytes, strict: true }, platform);
      const write = async (code: string) => {
        const looking = lookup(context, bytes(code));
        await (isSync ? runSync(looking) : runAsync(looking));
      };
      for (const code of "12345") await write(code);
      for (const code of "xy") {
        const error = await assertRejects(() => write(code), CacheError);
        assertEquals([error.code, entriesIn(directory).length], ["IO", 105]);
      }
      const { behind } = context.storage as Storage;
      await assertRejects(() => behind.flush(), CacheError);
      isBroken = false;
      await write("z");
      assertStrictEquals(entriesIn(directory).length, LEFT + 1);
    }));
}

for (const seconds of [23 * HOUR_S, 25 * HOUR_S]) {
  for (const isSync of [false, true]) {
    const name = `a prune ${seconds > 24 * HOUR_S ? "before" : "behind"} a write, ${isSync ? "sync" : "async"},`;

    test(`${name} goes on after an entry that it cannot remove, and tells of it`, () =>
      inDirectory(async (directory) => {
        const paths = await fill(directory, "abc");
        for (const path of paths) age(path, 31 * 24 * HOUR_S);
        pruned(directory, seconds);
        const platform = withFiles(({ remove }) => ({
          // Without locks, too.
          tryLock: undefined,
          remove: (path) => path === paths[1] ? failing("EPERM") : remove(path),
        }));
        const warnings: CacheWarning[] = [];
        const onWarning = (warning: CacheWarning) => warnings.push(warning);
        const options = { engine: new TextEngine(), directory, maxDiskBytes, onWarning };
        const context = openContext(options, platform);
        const looking = lookup(context, bytes("x"));
        await (isSync ? runSync(looking) : runAsync(looking));
        await (context.storage as Storage).behind.flush();
        assertEquals([entriesIn(directory).length, existsSync(paths[1]!), context.counters.writes], [2, true, 1]);
        assertEquals(warnings.map(({ code, path }) => [code, path]), [["IO", paths[1]]]);
      }));
  }
}

test("flush waits for the prune that its writes schedule, and not for what others schedule", async () => {
  await inDirectory(async (directory) => {
    const [old = ""] = await fill(directory, "abc");
    age(old, 31 * 24 * HOUR_S);
    pruned(directory, 2 * HOUR_S);
    const cache = new ModuleCache({ directory, strict: true });
    let n = 0;
    const next = () => cache.resolveSync(Uint8Array.of(...EMPTY_MODULE, 0, 4, 1, 118, n >> 8, n++));
    next();
    // Somebody who never stops looking up.
    const others = setInterval(next, 0);
    await cache.flush();
    clearInterval(others);
    assertStrictEquals(existsSync(old), false);
    await cache.flush();
  });
});

bothWays(
  "a prune behind a lookup does not bring a removed directory back",
  (resolve) =>
    inDirectory(async (directory) => {
      const path = `${directory}/a/cache`;
      await fill(path, "abc");
      pruned(path, 2 * HOUR_S);
      const cache = small(path, { strict: true });
      await resolve(cache, bytes("x"));
      rmSync(`${directory}/a`, { recursive: true });
      await cache.flush();
      assertEquals(readdirSync(directory), []);
    }),
);

test("flush waits for a prune under way when another was scheduled meanwhile", async () => {
  await inDirectory(async (directory) => {
    const paths = await fill(directory, "abc");
    age(paths[0]!, 31 * 24 * HOUR_S);
    pruned(directory, 2 * HOUR_S);
    const platform = detectPlatform();
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const remove: Files["remove"] = (path) => {
      const effect = platform.files!.remove(path);
      if (path !== paths[0]) return effect;
      return { ...effect, async: () => (begun.resolve(), gate.promise.then(effect.async)) };
    };
    const files: Files = Object.assign(Object.create(platform.files!), { remove });
    const context = openContext({ engine: new TextEngine(), directory, strict: true }, { ...platform, files });
    const { behind } = context.storage as Storage;
    await runAsync(lookup(context, bytes("x")));
    await begun.promise;
    await runAsync(lookup(context, bytes("y")));
    const flushed = behind.flush();
    gate.resolve();
    await flushed;
    assertStrictEquals(existsSync(paths[0]!), false);
  });
});

test("while another process prunes, nothing is written beyond the share", {
  skip: LOCKS ? false : "this runtime has no locks",
}, async () => {
  await inDirectory(async (directory) => {
    many(directory, 100);
    pruned(directory, 0);
    const { tryLock } = detectPlatform().files!;
    const lock = runSync(perform(tryLock!(`${directory}/v1/locks/prune`)))!;
    const cache = small(directory, { strict: true, maxDiskBytes });
    for (let i = 0; i < 5; i++) await cache.resolve(bytes(String(i)));
    assertStrictEquals((await cache.resolve(bytes("k"))).from, "compiled");
    await cache.flush();
    assertEquals([entriesIn(directory).length, cache.stats().writes, cache.stats().writeFailures], [105, 5, 1]);
    lock.release();
    cache.clearMemory();
    assertStrictEquals((await cache.resolve(bytes("k"))).from, "compiled");
    assertEquals([entriesIn(directory).length, cache.stats().writes], [LEFT + 1, 6]);
  });
});
