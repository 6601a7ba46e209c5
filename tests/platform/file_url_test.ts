// What `file:` URLs and paths name: the same on every runtime, and as Node has it.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ModuleCache } from "@wasm/module-cache";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { pathOf } from "../../src/platform/file_url.ts";
import { EMPTY_MODULE, inDirectory, thisRuntime } from "../_tools.ts";

/** URLs, and what they name on Linux and macOS, and on Windows; `null` where that is wrong use. */
const URLS: [url: string, posix: string | null, windows: string | null][] = [
  ["file:///a/b.wasm", "/a/b.wasm", null],
  ["file:///C:/a/b.wasm", "/C:/a/b.wasm", "C:/a/b.wasm"],
  ["file:///c:/a%20b", "/c:/a b", "c:/a b"],
  ["file://localhost/C:/a", "/C:/a", "C:/a"],
  ["file://server/share/a", null, "//server/share/a"],
  // Not before a drive: Deno's URL drops a host there.
  ["file://127.0.0.1/a", null, "//127.0.0.1/a"],
  ["file:///C:/a/../b/./c", "/C:/b/c", "C:/b/c"],
  ["file:///C:/a/%2e%2e/b", "/C:/b", "C:/b"],
  ["file:///C:/a%2F..%2Fb", null, null],
  ["file:///C:/a%2f", null, null],
  ["file:///C:/a%5Cb", "/C:/a\\b", null],
  ["file:///C:/50%25.wasm", "/C:/50%.wasm", "C:/50%.wasm"],
  ["file:///C:/50%.wasm", null, null],
  ["file:///C:/%zz", null, null],
  ["file:///C:/%ff", null, null],
  ["file:///C:/%C3%A4%F0%9F%98%80", "/C:/ä😀", "C:/ä😀"],
  ["file:///C:/a?query#part", "/C:/a", "C:/a"],
  ["file:///C:/a%3Fb%23c", "/C:/a?b#c", "C:/a?b#c"],
  ["file:///C:/a%0Ab", "/C:/a\nb", "C:/a\nb"],
  ["file:///C:/a//b/", "/C:/a//b/", "C:/a//b/"],
  ["file:///1:/a", "/1:/a", null],
  ["file:///", "/", null],
  ["https://example.com/a", null, null],
  ["data:,a", null, null],
];

test("a URL names what Node says", () => {
  for (const [text, ...expected] of URLS) {
    for (const [isWindows, path] of [[false, expected[0]], [true, expected[1]]] as [boolean, string | null][]) {
      const url = new URL(text);
      if (path === null) assertThrows(() => pathOf(url, isWindows), TypeError, url.pathname);
      else assertEquals([text, pathOf(url, isWindows)], [text, path]);
      if (!thisRuntime().startsWith("Node")) continue;
      let node: string | null;
      try {
        node = fileURLToPath(url, { windows: isWindows });
      } catch {
        node = null;
      }
      assertEquals([text, isWindows ? node?.replaceAll("\\", "/") ?? null : node], [text, path]);
    }
  }
});

test("a path with NUL or half a character, or a URL as text, is a TypeError", () => {
  const wrong = ["a\0b", "a\ud800", "file:///tmp/a", "FILE://tmp", new URL("file:///a%00b")];
  for (const isWindows of [true, false]) {
    for (const path of wrong) assertThrows(() => pathOf(path, isWindows), TypeError);
    for (const path of ["a", "/a\nb", "file", "a/file://", "ä😀", " "]) assertEquals(pathOf(path, isWindows), path);
  }
});

test("files and directories of URLs are those that Node would open", { timeout: 60_000 }, async () => {
  await inDirectory(async (directory) => {
    const [base] = [pathToFileURL(directory).pathname];
    const names = ["a.wasm", "50%.wasm", "a b", "ä😀", "a?b#c", "new\nline"];
    for (const name of names) {
      writeFileSync(`${directory}/${name}`, EMPTY_MODULE);
      assert(await new ModuleCache().load(pathToFileURL(`${directory}/${name}`)));
      const cache = new ModuleCache({ directory: pathToFileURL(`${directory}/in ${name}`), strict: true });
      await cache.resolve(EMPTY_MODULE);
      await cache.flush();
      assert(existsSync(`${directory}/in ${name}/v1`), name);
    }
    mkdirSync(`${directory}/empty`);
    const wrong = [`file://server${base}/a.wasm`, `file://${base}%2Fa.wasm`, `file://${base}/50%.wasm`];
    for (const url of [...wrong, `file://${base}/empty%2F..%2Fa.wasm`, `file://${base}/a%00.wasm`]) {
      await assertRejects(() => new ModuleCache().load(url), TypeError);
      assertThrows(() => new ModuleCache({ directory: new URL(url) }), TypeError);
    }
    for (const path of [`file://${base}/a`, `${directory}/a\0`, `${directory}/a\ud800`]) {
      assertThrows(() => new ModuleCache({ directory: path }), TypeError);
    }
    assertEquals(readdirSync(`${directory}/empty`), []);
  });
});

test("a relative directory is that of when the cache was made", { timeout: 60_000 }, async () => {
  await inDirectory(async (directory) => {
    const before = process.cwd();
    process.chdir(directory);
    try {
      const cache = new ModuleCache({ directory: "./b/../a/", strict: true });
      process.chdir("/");
      await cache.resolve(EMPTY_MODULE);
      await cache.flush();
    } finally {
      process.chdir(before);
    }
    assertEquals(readdirSync(directory), ["a"]);
  });
});
