// What is in a directory: `list` and `verify`, over all engines, with damage of every kind.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type EntryInfo, ModuleCache, type ModuleCacheOptions, type VerifyProgress } from "@wasm/module-cache";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { HEADER_BYTES } from "../../src/disk/entry.ts";
import {
  bytes,
  EMPTY_MODULE,
  entriesIn,
  inDirectory,
  onlyEntry,
  ROOT,
  runScript,
  runtimes,
  TextEngine,
  type TextModule,
  thisRuntime,
} from "../_tools.ts";
import { age } from "./_small.ts";

const opened = (directory: string, options: ModuleCacheOptions<TextModule> = {}) =>
  new ModuleCache({ engine: new TextEngine(), directory, strict: true, ...options });

async function listed(cache: ModuleCache<TextModule>): Promise<EntryInfo[]> {
  return (await Array.fromAsync(cache.list())).sort((a, b) => a.key < b.key ? -1 : 1);
}

test("list gives the entries of all engines, with what they say of themselves", async () => {
  await inDirectory(async (directory) => {
    const longId = `an engine with a long id, ${"and longer, ".repeat(200)}ä`;
    const keys = [];
    for (const id of ["text-1", longId]) {
      keys.push((await opened(directory, { engine: new TextEngine(id) }).resolve(bytes("a"))).key);
    }
    const host = new ModuleCache({ directory });
    const before = Date.now();
    keys.push((await host.resolve(EMPTY_MODULE)).key);
    await host.flush();
    const found = await listed(opened(directory));
    assertEquals(found.map(({ key }) => key), keys.sort());
    assertEquals(new Set(found.map(({ engineId }) => engineId)), new Set(["text-1", longId, "host"]));
    for (const { key, lastUsed, path, size } of found) {
      assert(path.endsWith(`/${key.slice(0, 2)}/${key.slice(2)}`));
      assertStrictEquals(readFileSync(path).length, size);
      assert(Math.abs(lastUsed.getTime() - before) < 60_000);
    }
    assertEquals((await host.resolve(EMPTY_MODULE)).from, "memory");
  });
});

test("list tells when an entry was used, and what its compile took", async () => {
  await inDirectory(async (directory) => {
    const slow = Object.assign(new TextEngine(), {
      compile: async (code: Uint8Array) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return { text: new TextDecoder().decode(code) };
      },
    });
    await opened(directory, { engine: slow }).resolve(bytes("a"));
    age(onlyEntry(directory), 7200);
    const [entry] = await listed(opened(directory));
    assert(entry!.compileMs! >= 15 && entry!.compileMs! < 60_000);
    assert(Math.abs(Date.now() - 7_200_000 - entry!.lastUsed.getTime()) < 60_000);
  });
});

test("without a directory, or with an empty one, there is nothing", async () => {
  await inDirectory(async (directory) => {
    for (const cache of [new ModuleCache({ engine: new TextEngine() }), opened(`${directory}/none`)]) {
      assertEquals([await listed(cache), await cache.verify()], [[], { entries: 0, bytes: 0, findings: [] }]);
    }
    assertEquals(readdirSync(directory), []);
  });
});

test("what is no entry is neither listed nor touched, and a damaged one is listed without its engine", async () => {
  await inDirectory(async (directory) => {
    await opened(directory).resolve(bytes("a"));
    const path = onlyEntry(directory);
    writeFileSync(`${dirname(path)}/notes`, "mine");
    mkdirSync(`${dirname(path)}/${"0".repeat(62)}`);
    writeFileSync(path, "short");
    const found = await listed(opened(directory));
    assertEquals(found.map(({ engineId, size }) => [engineId, size]), [[undefined, 5]]);
    const { findings } = await opened(directory).verify();
    assertEquals(findings.map(({ kind, removed }) => [kind, removed]), [["damaged", true]]);
    assertEquals(readdirSync(dirname(path)).sort(), ["0".repeat(62), "notes"]);
  });
});

test("verify finds every flipped byte, removes the entry, and leaves the good ones", async () => {
  await inDirectory(async (directory) => {
    const cache = opened(directory);
    await cache.resolve(bytes("a"));
    const path = onlyEntry(directory);
    const entry = readFileSync(path);
    await opened(directory, { engine: new TextEngine("other") }).resolve(bytes("b"));
    for (let i = 0; i < entry.length; i++) {
      writeFileSync(path, entry.map((byte, at) => at === i ? byte ^ (1 << i % 8) : byte));
      const { entries, findings } = await cache.verify();
      assertEquals([entries, findings.map(({ key, kind, removed }) => [key.slice(2), kind, removed])], [2, [
        [path.slice(-62), "damaged", true],
      ]], `byte ${i}`);
      assertStrictEquals(entriesIn(directory).length, 1);
    }
    writeFileSync(path, entry);
    assertEquals((await cache.verify()).findings, []);
  });
});

test("an entry in the place of another is found, and one of another engine's folder", async () => {
  await inDirectory(async (directory) => {
    const cache = opened(directory);
    await cache.resolve(bytes("a"));
    const first = onlyEntry(directory);
    await cache.resolve(bytes("b"));
    const second = entriesIn(directory).find((path) => path !== first)!;
    copyFileSync(first, second);
    const { findings } = await cache.verify({ dryRun: true });
    assertEquals(findings.map(({ path, removed, reason }) => [path, removed, reason.includes("place of another")]), [
      [second, false, true],
    ]);
    assertStrictEquals(entriesIn(directory).length, 2);
    rmSync(second);
    const folder = dirname(dirname(first));
    const foreign = first.replace(folder, folder.replace(/[0-9a-f]{16}$/, "0123456789abcdef"));
    mkdirSync(dirname(foreign), { recursive: true });
    copyFileSync(first, foreign);
    assertEquals((await cache.verify()).findings.map(({ path }) => path), [foreign]);
    assertEquals(entriesIn(directory), [first]);
  });
});

test("what this cache's secret has not signed is told, and stays", async () => {
  await inDirectory(async (directory) => {
    await opened(directory).resolve(bytes("a"));
    await opened(directory, { secret: bytes("one") }).resolve(bytes("b"));
    await opened(directory, { secret: bytes("two") }).resolve(bytes("c"));
    const { entries, findings } = await opened(directory, { secret: bytes("one") }).verify();
    assertEquals([entries, findings.map(({ kind, removed }) => [kind, removed])], [3, [
      ["unsigned", false],
      ["unsigned", false],
    ]]);
    assertEquals((await opened(directory).verify()).findings, []);
    assertStrictEquals(entriesIn(directory).length, 3);
  });
});

test("verify tells its progress, counts bytes, and ends by its signal", async () => {
  await inDirectory(async (directory) => {
    const cache = opened(directory);
    for (const letter of "abcde") await cache.resolve(bytes(letter));
    const told: VerifyProgress[] = [];
    const { bytes: all, entries } = await cache.verify({ onProgress: (progress) => void told.push(progress) });
    const sizes = entriesIn(directory).map((path) => readFileSync(path).length);
    assertEquals([entries, all], [5, sizes.reduce((sum, size) => sum + size)]);
    assertEquals(told.map(({ done, total }) => [done, total]), [1, 2, 3, 4, 5].map((done) => [done, 5]));
    assert(told.at(-1)!.bytes === all && all > 5 * HEADER_BYTES);

    const controller = new AbortController();
    const stopping = cache.verify({
      onProgress: ({ done }) => done === 2 && controller.abort(new RangeError("enough")),
      signal: controller.signal,
    });
    await assertRejects(() => stopping, RangeError, "enough");
    await assertRejects(
      () => cache.verify({ onProgress: () => Promise.reject(new SyntaxError("no")) as unknown as void }),
      SyntaxError,
    );
  });
});

test("a read-only cache removes nothing", async () => {
  await inDirectory(async (directory) => {
    await opened(directory).resolve(bytes("a"));
    writeFileSync(onlyEntry(directory), "short");
    const { findings } = await opened(directory, { readOnly: true }).verify();
    assertEquals([findings[0]!.removed, entriesIn(directory).length], [false, 1]);
  });
});

test("clear removes the entries of other engines where it is told to", async () => {
  await inDirectory(async (directory) => {
    for (const id of ["one", "two"]) await opened(directory, { engine: new TextEngine(id) }).resolve(bytes("a"));
    const cache = opened(directory, { engine: new TextEngine("one") });
    await cache.clear();
    assertStrictEquals(entriesIn(directory).length, 1);
    await cache.clear({ allEngines: true });
    assertEquals(entriesIn(directory), []);
  });
});

test("a directory that may not be read is not an empty one", {
  timeout: 60_000,
  skip: thisRuntime().startsWith("Deno") ? false : "by Deno's permissions",
}, async () => {
  await inDirectory(async (directory) => {
    await opened(directory).resolve(bytes("a"));
    const path = `${directory}/look.mjs`;
    writeFileSync(
      path,
      `import { ModuleCache } from ${JSON.stringify(`file://${ROOT}/mod.ts`)};
       const cache = new ModuleCache({ directory: Deno.args[0], onWarning: () => {} });
       for (const look of [() => Array.fromAsync(cache.list()), () => cache.verify()]) {
         await look().then(() => console.log("nothing"), ({ code }) => console.log(code));
       }`,
    );
    const command = runtimes()[thisRuntime()]!.flatMap((part) =>
      part === "-A" ? ["-A", `--deny-read=${directory}/v1`] : part
    );
    const { stdout, stderr } = await runScript(command, path, [directory]);
    assertStrictEquals(stdout, "IO\nIO\n", stderr);
  });
});
