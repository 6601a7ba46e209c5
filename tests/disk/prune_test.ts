// What a prune removes, in which order, and what it leaves alone.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { CacheError, ModuleCache } from "@wasm/module-cache";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { openContext, type Storage } from "../../src/context.ts";
import { Directory } from "../../src/disk/directory.ts";
import { Prune } from "../../src/disk/prune.ts";
import { type Effect, immediate, runAsync, runSync } from "../../src/effect.ts";
import { type Calls, composed } from "../../src/platform/composed.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import type { FileInfo, Files } from "../../src/platform/platform.ts";
import { restore } from "../_age.ts";
import { bothWays, bytes, entriesIn, inDirectory, onlyEntry, TextEngine } from "../_tools.ts";
import { age, ENTRY_BYTES, fill, HOUR_S, later, pruned, small } from "./_small.ts";

bothWays("the limits hold for the entries of all engines together", (resolve) =>
  inDirectory(async (directory) => {
    const old = await fill(directory, "abcde", new TextEngine("text-0"));
    old.forEach((path) => age(path, HOUR_S));
    const newer = await fill(directory, "abcde");
    const cache = small(directory);
    await resolve(cache, bytes("k"));
    await cache.flush();
    const kept = (paths: string[]) => paths.filter((path) => existsSync(path)).length;
    assertEquals([kept(old), kept(newer)], [2, 5]);
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

/** A prune of a directory, of which one call fails. */
function pruneAmong(directory: string, calls: Partial<Files>): Prune {
  const { files } = detectPlatform();
  const plan = { nowMs: Date.now(), maxAgeMs: 1000, maxBytes: 0, room: 0, isDryRun: false };
  return new Prune({ ...files!, ...calls }, new Directory(files!, { path: directory, readOnly: false }), plan);
}

function failing<T>(code: string): Effect<T> {
  return immediate("fail", () => {
    throw Object.assign(new Error("injected"), code === "NotCapable" ? { name: code } : { code });
  });
}

for (const code of ["EACCES", "EPERM", "NotCapable"]) {
  test(`prune leaves out what others keep to themselves, and tells of it: ${code}`, async () => {
    for (const where of ["/v1/tmp", "/v1/ENGINE", "/v1/ENGINE/PREFIX"]) {
      await inDirectory(async (directory) => {
        const paths = (await fill(directory, "abcd")).sort();
        paths.forEach((path) => age(path, 365 * 24 * HOUR_S));
        const [engine = "", prefix = ""] = paths[1]!.split(/[\\/]/).slice(-3);
        const path = directory + where.replace("ENGINE", engine).replace("PREFIX", prefix);
        const { files } = detectPlatform();
        const prune = pruneAmong(directory, {
          list: (other) => other === path ? failing(code) : files!.list(other),
          listFiles: (other, names) => other === path ? failing(code) : files!.listFiles(other, names),
        });
        const { removedEntries } = await runAsync(prune.run());
        const shared = paths.filter((path) => path.split(/[\\/]/).at(-2) === prefix);
        const left = where.endsWith("tmp") ? 0 : where.endsWith("ENGINE") ? 4 : shared.length;
        assertEquals([removedEntries, entriesIn(directory).length], [4 - left, left], where);
        assertEquals([prune.fault?.code, prune.fault?.path], ["IO", path]);
      });
    }
  });
}

test("prune tells of what it could not touch, and leaves empty folders where it makes room or only looks", async () => {
  await inDirectory(async (directory) => {
    const [path = ""] = await fill(directory, "a");
    const folder = `${directory}/v1/gone-0123456789abcdef/00`;
    mkdirSync(folder, { recursive: true });
    age(path, -48 * HOUR_S);
    const { files } = detectPlatform();
    const opened = new Directory(files!, { path: directory, readOnly: false });
    const plan = { nowMs: Date.now(), maxAgeMs: 1e9, maxBytes: 1e9, room: 0, isDryRun: false };
    const touch: Files["touch"] = () => failing("EROFS");
    for (const change of [{ room: 1 }, { isDryRun: true }]) {
      const prune = new Prune({ ...files!, touch }, opened, { ...plan, ...change });
      assertStrictEquals((await runAsync(prune.run())).entries, 1);
      assertEquals([prune.fault?.path, existsSync(folder)], ["room" in change ? path : undefined, true]);
    }
    await runAsync(new Prune(files!, opened, plan).run());
    assertStrictEquals(existsSync(folder), false);
  });
});

test("prune ends where it cannot know what is there", async () => {
  await inDirectory(async (directory) => {
    await fill(directory, "a");
    const { files } = detectPlatform();
    const list: Files["list"] = (path) => path.endsWith("/v1") ? failing("EIO") : files!.list(path);
    const error = await assertRejects(() => runAsync(pruneAmong(directory, { list }).run()), CacheError);
    assertEquals([error.code, error.path], ["IO", `${directory}/v1`]);
  });
});

test("prune counts what it removes, and what others were faster with", async () => {
  await inDirectory(async (directory) => {
    const paths = await fill(directory, "abc");
    const { files } = detectPlatform();
    const remove: Files["remove"] = (path) => path === paths[1] ? failing("ENOENT") : files!.remove(path);
    const prune = pruneAmong(directory, { remove });
    const removed = { removedEntries: 3, removedBytes: 3 * ENTRY_BYTES };
    assertEquals([await runAsync(prune.run()), prune.fault], [{ ...removed, entries: 0, bytes: 0 }, undefined]);
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
      const { disk, limits } = storage as Storage;
      if (what === "prune") await runAsync(limits.prune());
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
    const modifiedMs = (i * 7919) % 30_000;
    const size = modifiedMs < 10_000 ? 1 : 2;
    const entry = { name: i.toString(16).padStart(62, "0"), size, modifiedMs, changedMs: 0 };
    folders.set(prefix, [...folders.get(prefix) ?? [], entry]);
  }
  const files = listed(folders);
  const opened = new Directory(files, { path: "/none", readOnly: false });
  const plan = { nowMs: 30_000, maxAgeMs: Infinity, maxBytes: 10_000, room: 0, isDryRun: true };
  const result = { removedEntries: 26_000, removedBytes: 42_000, entries: 4000, bytes: 8000 };
  assertEquals(runSync(new Prune(files, opened, plan).run()), result);
  assertEquals(runSync(new Prune(files, opened, { ...plan, isDryRun: false }).run()), result);
  const left = [...folders.values()].flat().map(({ modifiedMs }) => modifiedMs);
  assertEquals([left.length, Math.min(...left)], [4000, 26_000]);
});
