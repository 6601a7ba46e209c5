// What the id of the Wasmtime engine names.

import { assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { identityOf } from "../../src/wasmtime/identity.ts";
import type { Settings } from "../../src/wasmtime/settings.ts";
import { inDirectory } from "../_tools.ts";
import { library } from "./_library.ts";

const SETTINGS: Settings = {
  optimize: "speed",
  fuel: false,
  deadlines: false,
  canonicalNaN: false,
  maxWasmStackBytes: 524288,
};

const OTHER: Settings = {
  optimize: "none",
  fuel: true,
  deadlines: true,
  canonicalNaN: true,
  maxWasmStackBytes: 65536,
};

const linux = { skip: false };
const real = { skip: linux.skip || (library === undefined && "no library of Wasmtime") };

/** An image with notes: program header at 64, notes at 128; the build id is the second. */
function image(buildId: Uint8Array | undefined): Uint8Array {
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 4, true);
  view.setBigUint64(72, 128n, true);
  view.setBigUint64(96, BigInt(28 + (buildId ? 16 + buildId.length : 0)), true);
  // Another kind of note: its name of 5 bytes and its value of 6 are padded.
  [5, 6, 1].forEach((value, i) => view.setUint32(128 + 4 * i, value, true));
  if (!buildId) return bytes;
  [4, buildId.length, 3].forEach((value, i) => view.setUint32(156 + 4 * i, value, true));
  bytes.set([0x47, 0x4e, 0x55], 168);
  bytes.set(buildId, 172);
  return bytes;
}

function buildIn(directory: string, name: string, bytes: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return identityOf(path, SETTINGS, "f0").split(" ")[2]!;
}

test("the id names the build id in an image's notes", linux, () =>
  inDirectory((directory) => {
    assertEquals(buildIn(directory, "a", image(Uint8Array.of(0xab, 1, 2, 3, 4, 5, 6, 7))), "ab01020304050607");
    assertEquals(buildIn(directory, "b", image(Uint8Array.of(0xab, 1, 2, 3, 4, 5, 6, 8))), "ab01020304050608");
  }));

test(
  "the id names the digest of a library without a build id, and of one with broken headers",
  linux,
  () =>
    inDirectory((directory) => {
      const long = image(undefined);
      long[8191] = 1;
      const unending = image(Uint8Array.of(1, 2, 3, 4));
      new DataView(unending.buffer).setUint32(160, 0xffffffff, true);
      const away = image(Uint8Array.of(1, 2, 3, 4));
      new DataView(away.buffer).setBigUint64(32, 2n ** 63n, true);
      const cases = [
        image(undefined),
        long,
        unending,
        away,
        image(Uint8Array.of(1)).subarray(0, 80),
        new Uint8Array(0),
      ];
      for (const [i, bytes] of cases.entries()) {
        const digest = createHash("sha256").update(bytes).digest("hex");
        assertEquals(buildIn(directory, `${i}`, bytes), `sha256:${digest}`);
      }
    }),
);

test(
  "the id stays that of the library that was opened when its file is replaced",
  linux,
  () =>
    inDirectory((directory) => {
      const first = buildIn(directory, "a", image(Uint8Array.of(1, 2, 3, 4)));
      assertEquals(buildIn(directory, "a", image(Uint8Array.of(5, 6, 7, 8))), first);
    }),
);

test("the id names every setting", linux, () =>
  inDirectory((directory) => {
    const path = join(directory, "a");
    writeFileSync(path, image(Uint8Array.of(1, 2, 3, 4)));
    const id = identityOf(path, SETTINGS, "f0");
    for (const key of Object.keys(SETTINGS) as (keyof Settings)[]) {
      const other = identityOf(path, { ...SETTINGS, [key]: OTHER[key] }, "f0");
      assertNotEquals(other, id, key);
      assertEquals(other.includes(`${key}=${OTHER[key]}`), true, key);
    }
    const turned = Object.fromEntries(Object.entries(SETTINGS).reverse()) as unknown as Settings;
    assertEquals(identityOf(path, turned, "f0"), id);
  }));

test("identityOf throws where the library cannot be read", linux, () => {
  assertThrows(() => identityOf("/missing/library", SETTINGS, "f0"));
});

test("the id of the real library is in its first page", real, () =>
  inDirectory((directory) => {
    const id = identityOf(library!, SETTINGS, "f0");
    assertMatch(id, /^wasmtime 50 [0-9a-f]{40} linux(-musl)? (x64|arm64) f0 /);
    assertEquals(buildIn(directory, "a", readFileSync(library!).subarray(0, 4096)), id.split(" ")[2]);
  }));
