// A remote tier on Redis without unstorage, as docs/remote.md shows it.

import { Redis } from "ioredis";
import { Buffer } from "node:buffer";
import type { RemoteTier } from "@wasm/module-cache";

/** Creates the tier; `close` ends its connection. */
export function redisTier(url: string): { tier: RemoteTier; close(): void } {
  const redis = new Redis(url);
  const tier: RemoteTier = {
    get: async (key) => await redis.getBuffer(`wasm:${key}`) ?? undefined,
    // It writes other arrays as text.
    put: async (key, entry) => void await redis.set(`wasm:${key}`, Buffer.from(entry.buffer)),
    has: async (key) => await redis.exists(`wasm:${key}`) === 1,
  };
  return { tier, close: () => redis.disconnect() };
}
