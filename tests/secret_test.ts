// Signed entries: only those who know the secret can make an entry that is taken.

import { assert, assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { XXH3_FROM_BYTES } from "../src/disk/checksum.ts";
import { decodeHeader, encodeHeader, HEADER_BYTES, MAC_BYTES } from "../src/disk/entry.ts";
import {
  bothWays,
  bytes,
  EMPTY_MODULE,
  entriesIn,
  entryBytes,
  hitsOnly,
  inDirectory,
  onlyEntry,
  payloadOf,
  type Resolve,
  TextEngine,
  type TextModule,
  withoutTime,
} from "./_tools.ts";

const secret = bytes("a secret of no less than 32 bytes");
const hmac = { name: "HMAC", hash: "SHA-256" };
const engine = new TextEngine();

type Secret = ModuleCacheOptions["secret"];

function keyOf(raw: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", raw, hmac, false, ["sign"]);
}

/** Looks a code up with a fresh cache that gets a warning instead of an entry that it cannot take. */
async function lookUp(resolve: Resolve, directory: string, secret: Secret, used = engine): Promise<string> {
  const cache = new ModuleCache<TextModule>({ engine: used, directory, secret, onWarning: () => {} });
  const { from, module } = await resolve(cache, bytes("hello"));
  assertStrictEquals(module.text, "hello");
  return from;
}

bothWays("an entry is taken by those who know its secret", (resolve) =>
  inDirectory(async (directory) => {
    assertStrictEquals(await lookUp(resolve, directory, secret), "compiled");
    assertStrictEquals(
      readFileSync(onlyEntry(directory)).length,
      entryBytes("artifact of hello") + MAC_BYTES,
    );
    assertStrictEquals(await lookUp(resolve, directory, secret.slice(), hitsOnly(engine) as TextEngine), "disk");
    // Who has no secret asks for no signature.
    assertStrictEquals(await lookUp(resolve, directory, undefined, hitsOnly(engine) as TextEngine), "disk");
    assertStrictEquals(await lookUp(resolve, directory, bytes("another secret")), "recompiled");
    assertStrictEquals(await lookUp(resolve, directory, secret), "recompiled");
  }));

bothWays("an entry that is not signed is made again", (resolve) =>
  inDirectory(async (directory) => {
    await lookUp(resolve, directory, undefined);
    assertStrictEquals(await lookUp(resolve, directory, secret), "recompiled");
    assertStrictEquals(await lookUp(resolve, directory, secret), "disk");
  }));

test("a key and its bytes are one secret", async () => {
  const resolve: Resolve = (cache, code) => cache.resolve(code);
  await inDirectory(async (directory) => {
    assertStrictEquals(await lookUp(resolve, directory, await keyOf(secret)), "compiled");
    assertStrictEquals(await lookUp(resolve, directory, secret), "disk");
    assertStrictEquals(await lookUp(resolve, directory, await keyOf(secret)), "disk");
    assertStrictEquals(await lookUp(resolve, directory, await keyOf(bytes("another"))), "recompiled");
  });
});

test("a synchronous lookup under a key does without the disk, and says why", async () => {
  await inDirectory(async (directory) => {
    const options = { engine, directory, secret: await keyOf(secret), strict: true };
    const first = new ModuleCache<TextModule>(options).resolveSync(bytes("hello"));
    assertEquals([first.from, first.module.text], ["compiled", "hello"]);
    await new ModuleCache<TextModule>(options).resolve(bytes("hello"));
    const before = readFileSync(onlyEntry(directory));
    const second = new ModuleCache<TextModule>(options).resolveSync(bytes("hello"));
    assertEquals([second.from, second.module.text], ["compiled", "hello"]);
    assertMatch(second.reason!, /CryptoKey/);
    assertEquals(readFileSync(onlyEntry(directory)), before);
    const host = new ModuleCache({ directory, secret: await keyOf(secret), strict: true });
    assertStrictEquals(host.resolveSync(EMPTY_MODULE).from, "compiled");
    await host.flush();
    host.clearMemory();
    assertStrictEquals((await host.resolve(EMPTY_MODULE)).from, "disk");
  });
});

bothWays("every flipped byte of a signed entry is found", (resolve) =>
  inDirectory(async (directory) => {
    await lookUp(resolve, directory, secret);
    const path = onlyEntry(directory);
    const entry = new Uint8Array(readFileSync(path));
    for (let i = 0; i < entry.length; i++) {
      writeFileSync(path, entry.map((byte, at) => at === i ? byte ^ (1 << i % 8) : byte));
      assertStrictEquals(await lookUp(resolve, directory, secret), "recompiled", `byte ${i}`);
      assertEquals(withoutTime(new Uint8Array(readFileSync(path))), withoutTime(entry));
    }
  }));

const sha256 = (data: Uint8Array) => new Uint8Array(createHash("sha256").update(data).digest());

/** What somebody can make who knows all but the secret: all digests are right. */
function forged(entry: Uint8Array<ArrayBuffer>, payload: Uint8Array, mac: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = decodeHeader(entry.slice(-HEADER_BYTES), entry.length);
  assert(typeof header !== "string");
  const sealed = encodeHeader({
    ...header,
    payloadLength: payload.length,
    payloadSha256: sha256(payload),
    isSigned: true,
  });
  return Uint8Array.of(...payload, ...mac, ...sealed, ...sha256(sealed));
}

bothWays(
  "a forged entry with all digests right is not taken, and no engine sees it",
  (resolve) =>
    inDirectory(async (directory) => {
      const seen: string[] = [];
      const spy = Object.assign(new TextEngine(), {
        deserialize: (
          artifact: Uint8Array,
        ) => (seen.push(new TextDecoder().decode(artifact)), engine.deserialize(artifact)),
      });
      await lookUp(resolve, directory, secret);
      const path = onlyEntry(directory);
      const entry = new Uint8Array(readFileSync(path));
      const oldMac = entry.subarray(-HEADER_BYTES - MAC_BYTES, -HEADER_BYTES);
      for (const mac of [oldMac, new Uint8Array(MAC_BYTES), sha256(entry.subarray(-HEADER_BYTES))]) {
        writeFileSync(path, forged(entry, bytes("artifact of evil"), mac));
        assertStrictEquals(
          await lookUp(resolve, directory, undefined, hitsOnly(engine) as TextEngine).catch(() => "evil"),
          "evil",
        );
        assertStrictEquals(await lookUp(resolve, directory, secret, spy), "recompiled");
      }
      assertEquals(seen, []);
      assertStrictEquals(await lookUp(resolve, directory, secret, spy), "disk");
      assertEquals(seen, ["artifact of hello"]);
    }),
);

bothWays("a large payload under a secret is never trusted for its XXH3", (resolve) =>
  inDirectory(async (directory) => {
    const size = XXH3_FROM_BYTES + 1;
    const large = Object.assign(new TextEngine("large"), { serialize: () => new Uint8Array(size).fill(7) });
    const cache = new ModuleCache<TextModule>({ engine: large, directory, secret, onWarning: () => {} });
    await resolve(cache, bytes("hello"));
    const entry = readFileSync(onlyEntry(directory));
    const xxh3 = entry.subarray(120 - HEADER_BYTES, 136 - HEADER_BYTES);
    assertEquals([...xxh3], [...new Uint8Array(16)]);
    cache.clearMemory();
    assertStrictEquals((await resolve(cache, bytes("hello"))).from, "disk");
    entry[size - 1]! ^= 1;
    writeFileSync(onlyEntry(directory), entry);
    cache.clearMemory();
    assertStrictEquals((await resolve(cache, bytes("hello"))).from, "recompiled");
  }));

bothWays("entries of the host engine are signed too", (resolve) =>
  inDirectory(async (directory) => {
    const lookup = async (secret: Secret) => {
      const cache = new ModuleCache({ directory, secret, onWarning: () => {} });
      const { from } = await resolve(cache, EMPTY_MODULE);
      await cache.flush();
      return from;
    };
    assertEquals([await lookup(undefined), await lookup(secret), await lookup(secret)], [
      "compiled",
      "recompiled",
      "disk",
    ]);
    assertStrictEquals(await lookup(bytes("another")), "recompiled");
  }));

bothWays(
  "a secret changed by its owner after is the one that was given",
  (resolve) =>
    inDirectory(async (directory) => {
      const mine = secret.slice();
      const cache = new ModuleCache<TextModule>({ engine, directory, secret: mine, strict: true });
      mine.fill(0);
      await resolve(cache, bytes("hello"));
      assertStrictEquals(await lookUp(resolve, directory, secret), "disk");
    }),
);

test("a wrong secret is a TypeError or RangeError", async () => {
  const sha1 = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-1" }, false, ["sign"]);
  const verifyOnly = await crypto.subtle.importKey("raw", secret, hmac, false, ["verify"]);
  const aes = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
  for (const wrong of ["word", 7, null, {}, [], secret.buffer, sha1, verifyOnly, aes]) {
    assertThrows(() => new ModuleCache({ secret: wrong as Uint8Array }), TypeError, "secret");
  }
  assertThrows(() => new ModuleCache({ secret: new Uint8Array() }), RangeError, "secret");
});

test("what a synchronous lookup under a key leaves unwritten, an asynchronous one writes without compiling", async () => {
  await inDirectory(async (directory) => {
    const text = new TextEngine();
    const cache = new ModuleCache({ engine: text, directory, secret: await keyOf(secret), strict: true });
    for (const from of ["compiled", "memory"]) {
      assertStrictEquals(cache.resolveSync(bytes("hello")).from, from);
      assertEquals(entriesIn(directory), []);
    }
    assertStrictEquals((await cache.resolve(bytes("hello"))).from, "memory");
    assertStrictEquals(payloadOf(onlyEntry(directory)).length > 0, true);
    cache.clearMemory();
    assertStrictEquals((await cache.resolve(bytes("hello"))).from, "disk");
    assertStrictEquals(text.compiles, 1);
  });
});
