// The remote tier on unstorage: in memory, and on a Redis server.

import { assert, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { type RawStorage, storageRemote } from "@wasm/module-cache/remote/unstorage";
import { Redis } from "ioredis";
import { Buffer } from "node:buffer";
import { after, test } from "node:test";
import { createStorage, prefixStorage } from "unstorage";
import redisDriver from "unstorage/drivers/redis";
import { remoteContract } from "../contract/remote.ts";
import { missing, type Server, startRedis } from "./_servers.ts";

const options = { signal: AbortSignal.timeout(60_000) };

remoteContract("a storage in memory", (body) => body(storageRemote(prefixStorage(createStorage(), "wasm"))));

let redis: Promise<Server> | undefined;
remoteContract("Redis by unstorage's driver", async (body) => {
  redis ??= startRedis();
  const storage = createStorage({ driver: redisDriver({ url: (await redis).url, base: "wasm" }) });
  try {
    await body(storageRemote(storage));
  } finally {
    await storage.dispose();
  }
}, missing.redis);

remoteContract("Redis without unstorage", async (body) => {
  redis ??= startRedis();
  const client = new Redis((await redis).url);
  try {
    await body({
      get: async (key) => await client.getBuffer(key) ?? undefined,
      // It writes other arrays as text.
      put: async (key, entry) => void await client.set(key, Buffer.from(entry.buffer, entry.byteOffset, entry.length)),
      has: async (key) => await client.exists(key) === 1,
      delete: async (key) => void await client.del(key),
    });
  } finally {
    client.disconnect();
  }
}, missing.redis);

after(async () => await (await redis)?.stop());

test("a storage whose driver gives no bytes fails, and one that gives a buffer is read", async () => {
  const storage = (value: unknown): RawStorage => ({
    getItemRaw: () => Promise.resolve(value),
    setItemRaw: () => Promise.resolve(),
    hasItem: () => Promise.resolve(true),
    removeItem: () => Promise.resolve(),
  });
  for (const value of ["text", { data: [1] }, 1]) {
    assertMatch(String(await assertRejects(() => storageRemote(storage(value)).get("", options))), /raw values/);
  }
  for (const value of [Uint8Array.of(1, 2).buffer, Uint8Array.of(1, 2), new DataView(Uint8Array.of(1, 2).buffer)]) {
    assert((await storageRemote(storage(value)).get("", options))?.length === 2);
  }
});

test("what is no storage is refused at once", () => {
  for (const storage of [null, {}, { ...createStorage(), getItemRaw: 1 }]) {
    assert(assertThrows(() => storageRemote(storage as never)) instanceof TypeError);
  }
});
