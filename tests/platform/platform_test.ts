// The platforms under their contract, and how one is chosen.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { createHash, createHmac } from "node:crypto";
import { statSync, utimesSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { perform, runAsync, runSync } from "../../src/effect.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import { MemoryFiles, memoryPlatform } from "../_memory_platform.ts";
import { nativeHmacSha256, nativeSha256, webPlatform } from "../../src/platform/web.ts";
import { inDirectory, thisRuntime } from "../_tools.ts";
import { platformContract } from "../contract/platform.ts";

platformContract("this", (body) => inDirectory((directory) => body({ platform: detectPlatform(), directory })));

platformContract("memory", async (body) => {
  const files = new MemoryFiles();
  const sha256 = nativeSha256((data) => createHash("sha256").update(data).digest());
  files.directories.add("/cache");
  const hmacSha256 = nativeHmacSha256((key, data) => createHmac("sha256", key).update(data).digest());
  await body({ platform: { ...memoryPlatform(files, sha256), hmacSha256 }, directory: "/cache" });
});

test("detectPlatform finds the runtime by its own global", () => {
  assertStrictEquals(detectPlatform().name, thisRuntime().split(" ")[0]!.toLowerCase());
});

test("detectPlatform gives a platform without files where it knows none", () => {
  for (const globals of [{}, { process: { versions: {} } }, { Deno: {}, Bun: {}, process: {} }]) {
    assertStrictEquals(detectPlatform(globals), webPlatform);
  }
  assertStrictEquals(webPlatform.files, undefined);
});

test("this platform has locks unless it is Node before 26", () => {
  const hasLocks = detectPlatform().files!.tryLock !== undefined;
  assertStrictEquals(
    hasLocks,
    !/^Node 2[0-5]/.test(thisRuntime()) && process.platform !== "win32" || thisRuntime().startsWith("Deno"),
  );
});

test("this platform tells when the system changed a file, whatever its time was set to", async () => {
  await inDirectory(async (directory) => {
    const files = detectPlatform().files!;
    writeFileSync(`${directory}/a`, "");
    utimesSync(`${directory}/a`, 0, 0);
    for (const run of [runSync, runAsync]) {
      const [file] = await run(perform(files.listFiles(directory, /./)));
      const { changedMs, ...rest } = file!;
      assertEquals(rest, { name: "a", size: 0, modifiedMs: 0 });
      // Dates are rounded.
      assert(Math.abs(changedMs - statSync(`${directory}/a`).ctime.getTime()) < 1);
    }
  });
});

test("this platform makes directories and files for their owner alone", async () => {
  if (process.platform === "win32") return;
  await inDirectory((directory) => {
    const files = detectPlatform().files!;
    runSync(perform(files.makeDirectory(`${directory}/a/b`)));
    runSync(perform(files.create(`${directory}/a/b/c`, [])));
    const modes = ["a", "a/b", "a/b/c"].map((path) => statSync(`${directory}/${path}`).mode & 0o777);
    assertEquals(modes, [0o700, 0o700, 0o600]);
  });
});
