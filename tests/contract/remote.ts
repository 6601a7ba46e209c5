// What every remote tier must do. Its adapters call this with a store of their own.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import type { RemoteTier } from "@wasm/module-cache";
import { bytes } from "../_tools.ts";
import { machine } from "../remote/_stores.ts";

/** Registers the contract's tests for a remote tier. */
export function remoteContract(
  name: string,
  withTier: (body: (tier: Required<RemoteTier>) => Promise<void>) => Promise<void>,
  skip: string | false = false,
): void {
  const check = (what: string, body: (tier: Required<RemoteTier>) => Promise<void>) =>
    test(`${name} ${what}`, { skip, timeout: 60_000 }, () => withTier(body));
  const options = {
    get signal() {
      return AbortSignal.timeout(30_000);
    },
  };

  check("has nothing before it is put", async (tier) => {
    assertStrictEquals(await tier.get(keyOf(0), options), undefined);
    assertStrictEquals(await tier.has(keyOf(0), options), false);
    await tier.delete(keyOf(0), options);
  });

  check("gives what was put, the last of it, until it is deleted", async (tier) => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const entry of [all, all.toReversed(), bytes("base64:AAAA"), Uint8Array.of(0)]) {
      await tier.put(keyOf(1), entry, options);
      assertEquals(plain(await tier.get(keyOf(1), options)), entry);
      assertStrictEquals(await tier.has(keyOf(1), options), true);
    }
    assertStrictEquals(await tier.get(keyOf(2), options), undefined);
    await tier.delete(keyOf(1), options);
    assertStrictEquals(await tier.get(keyOf(1), options), undefined);
    assertStrictEquals(await tier.has(keyOf(1), options), false);
  });

  check("carries megabytes", async (tier) => {
    const entry = new Uint8Array(5_000_000);
    let random = 1;
    for (let at = 0; at < entry.length; at++) entry[at] = (random = (random * 48271) % 2147483647) & 255;
    await tier.put(keyOf(3), entry, options);
    assertEquals(plain(await tier.get(keyOf(3), options)), entry);
  });

  check("takes many calls at once", async (tier) => {
    const keys = Array.from({ length: 32 }, (_, at) => keyOf(100 + at));
    await Promise.all(keys.map((key) => tier.put(key, bytes(`entry ${key}`), options)));
    const found = await Promise.all(keys.map((key) => tier.get(key, options)));
    assertEquals(found.map(plain), keys.map((key) => bytes(`entry ${key}`)));
  });

  check("shares modules between caches", async (tier) => {
    const secret = bytes("a secret of no less than 32 bytes");
    const first = machine(tier, { secret, strict: true });
    const code = bytes(`shared through ${name}`);
    assertStrictEquals((await first.cache.resolve(code)).from, "compiled");
    await first.cache.flush();
    const second = machine(tier, { secret, strict: true });
    const { from, module } = await second.cache.resolve(code);
    assertEquals([from, module.text, second.engine.compiles], ["remote", `shared through ${name}`, 0]);
    await second.cache.delete(code);
    assertStrictEquals((await machine(tier, { secret, strict: true }).cache.resolve(code)).from, "compiled");
  });
}

function keyOf(at: number): string {
  return at.toString(16).padStart(64, "0");
}

/** Buffers of Node are no equals of arrays. */
function plain(entry: Uint8Array | undefined): Uint8Array | undefined {
  return entry && new Uint8Array(entry);
}
