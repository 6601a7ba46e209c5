// The limits of a directory: what a prune removes, when it comes, and what it leaves alone.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError, ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { openContext, type Storage } from "../../src/context.ts";
import { Directory } from "../../src/disk/directory.ts";
import { immediate, perform, runAsync, runSync } from "../../src/effect.ts";
import { lookup } from "../../src/lookup.ts";
import { type Calls, composed } from "../../src/platform/composed.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import type { FileInfo, Files } from "../../src/platform/platform.ts";
import { Prune } from "../../src/disk/prune.ts";
import { WriteBehind } from "../../src/disk/write_behind.ts";
import { age as makeOld, restore } from "../_age.ts";
import {
  bothWays,
  bytes,
  EMPTY_MODULE,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  text,
  TextEngine,
  type TextModule,
} from "../_tools.ts";

const HOUR_S = 3600;
/** Length of the entry of a code of one character, bytes. */
const ENTRY_BYTES = 168 + "artifact of x".length;

/** Makes a file look as if it was last used then, and left alone since. */
function age(path: string, seconds: number): void {
  makeOld(path, seconds * 1000);
}

/** Writes an entry for each letter with an engine of its own; gives their paths, the first the longest unused. */
async function fill(directory: string, letters: string, engine = new TextEngine()): Promise<string[]> {
  const cache = new ModuleCache({ engine, directory });
  const paths: string[] = [];
  for (const [i, letter] of [...letters].entries()) {
    const { key } = await cache.resolve(bytes(letter));
    paths.push(entriesIn(directory).find((path) => path.endsWith(key.slice(2)))!);
    age(paths[i]!, (letters.length - i) * 60);
  }
  return paths;
}

function small(directory: string, options: ModuleCacheOptions<TextModule> = {}): ModuleCache<TextModule> {
  return new ModuleCache({ engine: new TextEngine(), directory, maxDiskBytes: 10 * ENTRY_BYTES, ...options });
}

bothWays(
  "a write that finds no room removes the least recently used, down to four fifths",
  (resolve) =>
    inDirectory(async (directory) => {
      const paths = await fill(directory, "abcdefghij");
      // As if it was never used since.
      age(paths[4]!, 24 * HOUR_S);
      await resolve(small(directory, { strict: true }), bytes("k"));
      assertEquals(paths.map((path) => existsSync(path)), paths.map((_, i) => i !== 0 && i !== 4));
      assertStrictEquals(entriesIn(directory).length, 9);
    }),
);

bothWays("a write that finds room removes nothing", (resolve) =>
  inDirectory(async (directory) => {
    await fill(directory, "abcdefghi");
    await resolve(small(directory, { strict: true }), bytes("k"));
    assertStrictEquals(entriesIn(directory).length, 10);
  }));

bothWays(
  "the disk never holds more than its limit, whatever is written",
  (resolve) =>
    inDirectory(async (directory) => {
      const caches = [small(directory, { strict: true }), small(directory, { strict: true })];
      for (let i = 0; i < 60; i++) {
        await resolve(caches[i % 2]!, bytes(String.fromCharCode(0x41 + i)));
        const sum = entriesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0);
        assert(sum <= 10 * ENTRY_BYTES, `${sum} bytes after ${i + 1} writes`);
        assert(sum >= Math.min(i + 1, 8) * ENTRY_BYTES, `only ${sum} bytes after ${i + 1} writes`);
      }
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
    const platform = detectPlatform();
    const create: Files["create"] = (path, parts) => {
      const effect = platform.files!.create(path, parts);
      const isFirst = parts.some((part) => text(part).includes("artifact of A"));
      const later = new Promise((resolve) => setTimeout(resolve, isFirst ? 100 : 0));
      return { ...effect, async: () => later.then(effect.async) };
    };
    const files: Files = Object.assign(Object.create(platform.files!), { create });
    const options = { engine: new TextEngine(), directory, maxDiskBytes: 10 * ENTRY_BYTES, strict: true };
    const context = openContext(options, { ...platform, files });
    await Promise.all(["A", "B", "C"].map((letter) => runAsync(lookup(context, bytes(letter)))));
    assert(entriesIn(directory).length <= 10, `${entriesIn(directory).length} entries`);
  });
});

test("two caches on one cold directory both write", async () => {
  await inDirectory(async (directory) => {
    for (let i = 0; i < 10; i++) {
      const path = `${directory}/${i}`;
      const caches = ["x", "y"].map((letter) => ({ letter, cache: small(path, { strict: true }) }));
      await Promise.all(caches.map(({ letter, cache }) => cache.resolve(bytes(letter))));
      assertStrictEquals(entriesIn(path).length, 2);
    }
  });
});

test("caches that make room at once keep to the limit, and one entry each", { timeout: 60_000 }, async () => {
  await inDirectory(async (directory) => {
    const maxDiskBytes = 30_000;
    const caches = [1, 2, 3].map(() => small(directory, { maxEntries: 0, maxDiskBytes, strict: true }));
    const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    let most = 0;
    const use = async (cache: ModuleCache<TextModule>, name: string, isSync: boolean) => {
      for (let n = 0; n < 50; n++) {
        const code = bytes(`${name} ${n}`.padEnd(1000));
        if (isSync) cache.resolveSync(code);
        else await cache.resolve(code);
        await new Promise((resolve) => setTimeout(resolve, 0));
        most = Math.max(most, entriesIn(directory).reduce((sum, path) => sum + sizeOf(path), 0));
      }
    };
    const writers = caches.flatMap((cache, i) => [use(cache, `${i} sync`, true), use(cache, `${i} async`, false)]);
    await Promise.all(writers);
    // While the account is made anew, each writer may add to the old one.
    assert(most > 0.8 * maxDiskBytes && most <= maxDiskBytes + writers.length * 1200, `${most} bytes`);
  });
});

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
      assertStrictEquals(error.code, "LIMIT");
    }),
);

bothWays("the limits hold for the entries of all engines together", (resolve) =>
  inDirectory(async (directory) => {
    const old = await fill(directory, "abcde", new TextEngine("text-0"));
    old.forEach((path) => age(path, HOUR_S));
    const newer = await fill(directory, "abcde");
    await resolve(small(directory), bytes("k"));
    const kept = (paths: string[]) => paths.filter((path) => existsSync(path)).length;
    assertEquals([kept(old), kept(newer)], [3, 5]);
    for (const path of old) rmSync(path, { force: true });
    // What is left of an engine that is not used any more goes too, its folders one level with each prune.
    for (let level = 0; level < 2; level++) await small(directory).prune();
    assertEquals(readdirSync(`${directory}/v1`).filter((name) => name.startsWith("text-0")), []);
  }));

test("prune removes what was not used for too long, and a dry run tells of it", async () => {
  await inDirectory(async (directory) => {
    const paths = await fill(directory, "abcdef");
    for (const path of paths.slice(0, 2)) age(path, 31 * 24 * HOUR_S);
    const cache = small(directory);
    const result = {
      removedEntries: 2,
      removedBytes: 2 * ENTRY_BYTES,
      entries: 4,
      bytes: 4 * ENTRY_BYTES,
    };
    assertEquals(await cache.prune({ dryRun: true }), result);
    assertEquals(await small(directory, { readOnly: true }).prune(), result);
    assertStrictEquals(entriesIn(directory).length, 6);
    assertEquals(await cache.prune(), result);
    assertEquals(entriesIn(directory).sort(), paths.slice(2).sort());
    assertEquals(await small(directory, { maxDiskAgeMs: 150_000 }).prune(), {
      removedEntries: 2,
      removedBytes: 2 * ENTRY_BYTES,
      entries: 2,
      bytes: 2 * ENTRY_BYTES,
    });
    assertEquals((await small(directory, { maxDiskBytes: ENTRY_BYTES }).prune()).entries, 0);
  });
});

test("prune finds nothing where there is no directory", async () => {
  const nothing = { removedEntries: 0, removedBytes: 0, entries: 0, bytes: 0 };
  assertEquals(await new ModuleCache().prune(), nothing);
  await inDirectory(async (directory) => {
    assertEquals(await small(`${directory}/none`).prune({ dryRun: true }), nothing);
    assertEquals(readdirSync(directory), []);
  });
});

test("prune removes only what is the cache's own, and what its dead writers left", async () => {
  await inDirectory(async (directory) => {
    const [path = ""] = await fill(directory, "a");
    const names = ["mine.txt", "v1/notes.txt", "v1/mine/ab/0", "v1/tmp/keep.txt", "v1/locks/mine"];
    const others = [
      ...names.map((name) => `${directory}/${name}`),
      `${dirname(path)}/note`,
      `${dirname(dirname(path))}/x`,
    ];
    const stale = `${directory}/v1/tmp/123-${crypto.randomUUID()}`;
    const fresh = `${directory}/v1/tmp/124-${crypto.randomUUID()}`;
    for (const file of [...others, stale, fresh]) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, "12345");
      age(file, file === fresh ? 60 : 365 * 24 * HOUR_S);
    }
    age(path, 365 * 24 * HOUR_S);
    assertEquals(await small(directory).prune(), {
      removedEntries: 1,
      removedBytes: ENTRY_BYTES,
      entries: 0,
      bytes: 5,
    });
    assertEquals([path, stale, fresh, ...others].filter((file) => existsSync(file)), [fresh, ...others]);
  });
});

/** The times that archives, images and build systems give everything, and those of a copy that keeps them. */
const RESTORED_MS = [0, 1000, 315_532_800_000, Date.now() - 365 * 24 * HOUR_S * 1000];

bothWays(
  "a write keeps entries that were just restored, whatever their times say",
  (resolve) =>
    inDirectory(async (directory) => {
      const paths = await fill(directory, "abcd");
      RESTORED_MS.forEach((time, i) => restore(paths[i]!, time));
      pruned(directory, 5 * HOUR_S);
      const cache = small(directory, { strict: true });
      await resolve(cache, bytes("x"));
      await cache.flush();
      assertEquals(paths.filter((path) => !existsSync(path)), []);
      // Those that nobody used since go first where room is needed.
      age(paths[0]!, 60);
      await small(directory, { maxDiskBytes: 3 * ENTRY_BYTES }).prune();
      assertEquals(paths.map((path) => existsSync(path)), [true, false, false, false]);
    }),
);

test("a restored entry that nobody uses goes when it has been there for too long", async () => {
  await inDirectory(async (directory) => {
    const paths = await fill(directory, "ab");
    for (const path of paths) restore(path, 0);
    await later(29 * 24 * HOUR_S, async () => assertStrictEquals((await small(directory).prune()).removedEntries, 0));
    await later(31 * 24 * HOUR_S, async () => assertStrictEquals((await small(directory).prune()).removedEntries, 2));
  });
});

test("prune leaves a file of a writer alone whose times were restored or are of another clock, and sweeps it later", async () => {
  await inDirectory(async (directory) => {
    await fill(directory, "a");
    const temporaries = [...RESTORED_MS, Date.now() + 48 * HOUR_S * 1000].map((time) => {
      const path = `${directory}/v1/tmp/123-${crypto.randomUUID()}`;
      writeFileSync(path, "12345");
      restore(path, time);
      return path;
    });
    await small(directory).prune();
    assertEquals(temporaries.filter((path) => !existsSync(path)), []);
    await later(2 * HOUR_S, () => small(directory).prune());
    assertEquals(readdirSync(`${directory}/v1/tmp`), []);
  });
});

test("an entry stays where the directory's clock is ahead", async () => {
  await inDirectory(async (directory) => {
    const paths = await fill(directory, "abcd");
    for (const path of paths) restore(path, 0);
    // To this process all that was written is a day ahead.
    await later(-24 * HOUR_S, async () => {
      const cache = small(directory, { strict: true });
      assertStrictEquals((await cache.prune()).removedEntries, 0);
    });
  });
});

/** Runs a body as if it was so much later. */
async function later<T>(seconds: number, body: () => Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => now() + seconds * 1000;
  try {
    return await body();
  } finally {
    Date.now = now;
  }
}

test("prune gives an entry from the future the time of now", async () => {
  await inDirectory(async (directory) => {
    const [path = ""] = await fill(directory, "a");
    age(path, -365 * 24 * HOUR_S);
    assertStrictEquals((await small(directory).prune()).entries, 1);
    assert(Math.abs(statSync(path).mtimeMs - Date.now()) < 60_000);
  });
});

test("prune goes on after what it cannot remove, and tells of it", async () => {
  await inDirectory(async (directory) => {
    const paths = await fill(directory, "abcd");
    paths.forEach((path) => age(path, 365 * 24 * HOUR_S));
    const { files } = detectPlatform();
    const stuck = [...paths].sort()[1]!;
    const remove: Files["remove"] = (path) => {
      if (path !== stuck) return files!.remove(path);
      return immediate("remove", () => {
        throw Object.assign(new Error("stuck"), { code: "EBUSY" });
      });
    };
    const opened = new Directory(files!, { path: directory, readOnly: false });
    const plan = { nowMs: Date.now(), maxAgeMs: 1000, maxBytes: 0, room: 0, isDryRun: false };
    const prune = new Prune({ ...files!, remove }, opened, plan);
    assertStrictEquals(runSync(prune.run()).entries, 1);
    assertStrictEquals(prune.fault?.path, stuck);
    assertEquals(entriesIn(directory), [stuck]);
  });
});

/** This platform's files, and how many removals were under way at once at most. */
function counted(): { files: Files; most: () => number } {
  const { files } = detectPlatform();
  let running = 0;
  let most = 0;
  const remove: Files["remove"] = (path) => {
    const effect = files!.remove(path);
    const async = async () => {
      most = Math.max(most, ++running);
      await effect.async();
      running--;
    };
    return { ...effect, async };
  };
  return { files: Object.assign(Object.create(files!), { remove }), most: () => most };
}

test("prune and clear remove some at once, and no more than a few", async () => {
  await inDirectory(async (directory) => {
    const engine = new TextEngine();
    const { key } = await new ModuleCache({ engine, directory }).resolve(bytes("a"));
    const path = onlyEntry(directory);
    const entries = () => entriesIn(directory).length;
    for (const [what, left] of [["prune", 80], ["clear", 0]] as const) {
      for (let i = 0; i < 100; i++) writeFileSync(path.replace(key.slice(2), i.toString(16).padStart(62, "0")), "1");
      rmSync(path, { force: true });
      const { files, most } = counted();
      const { storage } = openContext({ engine, directory, maxDiskBytes: 99 }, { ...detectPlatform(), files });
      const { disk, housekeeping } = storage as Storage;
      if (what === "prune") await runAsync(housekeeping.prune());
      else await runAsync(disk.clear(path.split(/[\\/]/).at(-3)!));
      assert(entries() <= left && most() > 1 && most() <= 16, `${what}: ${entries()} left, ${most()} at once`);
    }
  });
});

test("prune asks about no names but its own, and about few at a time", async () => {
  const own = Array.from({ length: 1000 }, (_, i) => `1-${i.toString(16).padStart(36, "0")}`);
  let running = 0;
  let most = 0;
  const asked: string[] = [];
  const gone = Object.assign(new Error("gone"), { code: "ENOENT" });
  const stat = (path: string) => ({
    name: "stat",
    sync: () => {
      throw gone;
    },
    async: async () => {
      asked.push(path.slice("/tmp/".length));
      most = Math.max(most, ++running);
      await null;
      running--;
      throw gone;
    },
  });
  const list = () => immediate("list", () => [...own, ...own.map((name) => `foreign-${name}`)]);
  const files = { ...detectPlatform().files!, ...composed({ list, stat } as unknown as Calls) };
  const opened = new Directory(files, { path: "/none", readOnly: false });
  const plan = { nowMs: Date.now(), maxAgeMs: 1000, maxBytes: 0, room: 0, isDryRun: true };
  await runAsync(new Prune({ ...files, list: () => immediate("list", () => []) }, opened, plan).run());
  assertEquals(asked.map((path) => path.slice(path.lastIndexOf("/") + 1)), own);
  assert(most > 1 && most <= 16, `${most} at once`);
});

/** Files of which only names and sizes are there: a hundred thousand of them need no disk. */
function listed(folders: Map<string, FileInfo[]>): Files {
  const step = <T>(give: () => T) => immediate("step", give);
  const { files } = detectPlatform();
  return {
    ...files!,
    list: (path) => step(() => path.endsWith("/v1") ? ["text-0123456789abcdef"] : [...folders.keys()]),
    listFiles: (path) => step(() => folders.get(path.slice(-2)) ?? []),
    remove: (path) =>
      step(() => {
        const left = folders.get(path.split("/").at(-2)!)!;
        left.splice(left.findIndex(({ name }) => path.endsWith(name)), 1);
      }),
    removeDirectory: () => step(() => {}),
  };
}

test("prune keeps to the order of use where more must go than it keeps in mind", () => {
  const folders = new Map<string, FileInfo[]>();
  for (let i = 0; i < 30_000; i++) {
    const prefix = (i % 256).toString(16).padStart(2, "0");
    const entry = { name: i.toString(16).padStart(62, "0"), size: 1, modifiedMs: (i * 7919) % 30_000, changedMs: 0 };
    folders.set(prefix, [...folders.get(prefix) ?? [], entry]);
  }
  const files = listed(folders);
  const opened = new Directory(files, { path: "/none", readOnly: false });
  const plan = { nowMs: 30_000, maxAgeMs: Infinity, maxBytes: 5000, room: 0, isDryRun: true };
  const result = { removedEntries: 26_000, removedBytes: 26_000, entries: 4000, bytes: 4000 };
  assertEquals(runSync(new Prune(files, opened, plan).run()), result);
  assertEquals(runSync(new Prune(files, opened, { ...plan, isDryRun: false }).run()), result);
  const left = [...folders.values()].flat().map(({ modifiedMs }) => modifiedMs);
  assertEquals([left.length, Math.min(...left)], [4000, 26_000]);
});

/** Says that the last prune was so long ago. */
function pruned(directory: string, seconds: number): void {
  const account = readFileSync(`${directory}/v1/account`);
  new DataView(account.buffer, account.byteOffset).setFloat64(0, Date.now() - seconds * 1000, true);
  writeFileSync(`${directory}/v1/account`, account);
}

bothWays("a write prunes what is too old, at most once an hour", (resolve) =>
  inDirectory(async (directory) => {
    const paths = await fill(directory, "abc");
    age(paths[0]!, 31 * 24 * HOUR_S);
    pruned(directory, 0.9 * HOUR_S);
    const cache = small(directory, { strict: true });
    await resolve(cache, bytes("x"));
    await cache.flush();
    assertStrictEquals(entriesIn(directory).length, 4);
    pruned(directory, 1.1 * HOUR_S);
    await resolve(cache, bytes("y"));
    await cache.flush();
    assertEquals([existsSync(paths[0]!), entriesIn(directory).length], [false, 4]);
    age(paths[1]!, 31 * 24 * HOUR_S);
    await resolve(cache, bytes("z"));
    await cache.flush();
    assertStrictEquals(entriesIn(directory).length, 5);
  }));

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

test("flush waits for all that writes schedule in their turn", async () => {
  const behind = new WriteBehind();
  const done: number[] = [];
  const schedule = (i: number): void =>
    behind.schedule(`write ${i}`, 0, function* () {
      yield* perform({
        name: "later",
        sync: () => {},
        async: () => new Promise<void>((resolve) => setImmediate(resolve)),
      });
      if (i < 5) schedule(i + 1);
      done.push(i);
    });
  schedule(0);
  await behind.flush();
  assertEquals(done, [0, 1, 2, 3, 4, 5]);
});

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

bothWays("an account that is damaged or missing is made anew", (resolve) =>
  inDirectory(async (directory) => {
    await fill(directory, "abcdefgh");
    const path = `${directory}/v1/account`;
    const damaged = ["", "1234567", "x".repeat(64), "\0".repeat(70_000)];
    for (const [i, content] of [undefined, ...damaged].entries()) {
      rmSync(path, { force: true });
      if (content !== undefined) writeFileSync(path, content);
      const cache = small(directory, { strict: true });
      await resolve(cache, bytes(String(i)));
      await cache.flush();
      const sum = entriesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0);
      assert(sum <= 10 * ENTRY_BYTES && sum >= 8 * ENTRY_BYTES, `${sum} bytes after ${i}`);
      assert(statSync(path).size <= 24);
    }
  }));

bothWays(
  "a hit keeps an entry from going, at the cost of one touch an hour",
  (resolve) =>
    inDirectory(async (directory) => {
      const engine = new TextEngine();
      await fill(directory, "a", engine);
      const path = onlyEntry(directory);
      const hit = async (seconds: number, options: ModuleCacheOptions<TextModule> = {}) => {
        age(path, seconds);
        const before = statSync(path).mtimeMs;
        const cache = new ModuleCache({ engine: hitsOnly(engine), directory, strict: true, ...options });
        assertStrictEquals((await resolve(cache, bytes("a"))).from, "disk");
        return statSync(path).mtimeMs - before > 1000;
      };
      assertEquals([await hit(2 * HOUR_S), await hit(0.5 * HOUR_S), await hit(-2 * HOUR_S)], [true, false, false]);
      assert(Math.abs(statSync(path).mtimeMs - Date.now()) < 60_000);
      assertStrictEquals(await hit(2 * HOUR_S, { readOnly: true }), false);
    }),
);

test("a hit of the host engine keeps its entry too", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory, strict: true });
    await cache.compile(EMPTY_MODULE);
    await cache.flush();
    age(onlyEntry(directory), 2 * HOUR_S);
    cache.clearMemory();
    assertStrictEquals((await cache.resolve(EMPTY_MODULE)).from, "disk");
    assert(Math.abs(statSync(onlyEntry(directory)).mtimeMs - Date.now()) < 60_000);
  });
});

test("while another process prunes, nothing is written without room", async () => {
  await inDirectory(async (directory) => {
    const platform = detectPlatform();
    if (!platform.files!.tryLock) return;
    await fill(directory, "abcdefghij");
    const lock = runSync(perform(platform.files!.tryLock(`${directory}/v1/locks/prune`)))!;
    const cache = small(directory, { strict: true });
    assertStrictEquals((await cache.resolve(bytes("k"))).from, "compiled");
    assertEquals([entriesIn(directory).length, cache.stats().writes, cache.stats().writeFailures], [10, 0, 1]);
    lock.release();
    cache.clearMemory();
    assertStrictEquals((await cache.resolve(bytes("k"))).from, "compiled");
    assertEquals([entriesIn(directory).length, cache.stats().writes], [9, 1]);
  });
});
