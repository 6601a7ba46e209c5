// Keys and folders: what makes them differ, what keeps them safe.

import { toHex } from "../../src/bytes.ts";
import { assert, assertEquals, assertMatch, assertNotEquals, assertStrictEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { engineFolder, entryPath, keyMaterial } from "../../src/disk/key.ts";
import { bytes } from "../_tools.ts";

const sha256 = (data: Uint8Array) => new Uint8Array(createHash("sha256").update(data).digest());

test("keyMaterial differs when code or engine differ, and when they change places", () => {
  const [a, b] = [sha256(bytes("a")), sha256(bytes("b"))];
  const all = [keyMaterial(a, a), keyMaterial(a, b), keyMaterial(b, a), keyMaterial(b, b)].map(toHex);
  assertStrictEquals(new Set(all).size, 4);
});

test("engineFolder is one safe name for any id", () => {
  const ids = [
    "host",
    "a/b",
    "a\\b",
    "../../..",
    "..",
    ".",
    "CON",
    'a:b*?"<>|',
    "ü€😀",
    "x".repeat(5000),
    "a b",
    "A",
    "\0",
  ];
  const folders = ids.map((id) => engineFolder(id, sha256(bytes(id))));
  for (const folder of folders) assertMatch(folder, /^[A-Za-z0-9._-]{17,70}$/);
  assertStrictEquals(new Set(folders.map((folder) => folder.toLowerCase())).size, ids.length);
  assertStrictEquals(folders[0]!.startsWith("host-"), true);
});

test("engineFolder differs for ids that are alike once made safe", () => {
  const [a, b] = ["a/b", "a_b"].map((id) => engineFolder(id, sha256(bytes(id))));
  assertNotEquals(a, b);
});

test("entryPath spreads entries over 256 folders", () => {
  const key = toHex(sha256(bytes("x")));
  assertEquals(entryPath("folder", key).split("/").map((part) => part.length), [6, 2, 62]);
});

test("toHex writes every byte as two digits", () => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  assert(toHex(all).startsWith("000102030405060708090a0b0c0d0e0f10"));
  assertStrictEquals(toHex(all), [...all].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
});
