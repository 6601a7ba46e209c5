// XXH3-128: what it gives, and when it is left to SHA-256.

import { toHex } from "../../src/bytes.ts";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { join } from "node:path";
import { test } from "node:test";
import { xxh3, XXH3_FROM_BYTES } from "../../src/disk/checksum.ts";
import { perform, runAsync, runSync } from "../../src/effect.ts";
import { ROOT, runScript, runtimes, thisRuntime } from "../_tools.ts";

const large = new Uint8Array(XXH3_FROM_BYTES);

test("a synchronous checksum before any asynchronous one is left to SHA-256", async () => {
  // In a process of its own: Bun runs all tests in one, in which somebody may have waited for the hasher.
  const script = join(ROOT, "tests/disk/_first_checksum.ts");
  const { code, stdout, stderr } = await runScript(runtimes()[thisRuntime()]!, script);
  assertEquals([code, stdout, stderr], [0, "undefined", ""]);
});

test("the checksum of large bytes is their XXH3-128, in both kinds of run, again and again", async () => {
  // By xxHash 0.8.4 in C.
  const zeros = "14d914cac1f4c1b1c4979470a1b529a1";
  for (let i = 0; i < 2; i++) {
    assertStrictEquals(toHex((await runAsync(perform(xxh3(large))))!), zeros);
    assertStrictEquals(toHex(runSync(perform(xxh3(large)))!), zeros);
  }
  const other = large.slice();
  other[other.length - 1] = 1;
  const digest = (await runAsync(perform(xxh3(other))))!;
  assertEquals([digest.length, toHex(digest) === zeros], [16, false]);
});

test("the checksum of shorter bytes is left to SHA-256", async () => {
  await runAsync(perform(xxh3(large)));
  const shorter = large.subarray(1);
  assertStrictEquals(await runAsync(perform(xxh3(shorter))), undefined);
  assertStrictEquals(runSync(perform(xxh3(shorter))), undefined);
});
