// Faults of real stores: the right module each time, one warning, and nobody waits for what does not come.

import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import type { RemoteTier } from "@wasm/module-cache";
import { httpRemote } from "@wasm/module-cache/remote/http";
import { storageRemote } from "@wasm/module-cache/remote/unstorage";
import { Redis } from "ioredis";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { createStorage } from "unstorage";
import redisDriver from "unstorage/drivers/redis";
import { type Answer, type Asked, withServer } from "../_server.ts";
import { bytes, inDirectory, runScript, runtimes, TextEngine, thisRuntime } from "../_tools.ts";
import { missing, type Server, startNginx, startRedis, storing } from "./_servers.ts";
import { type Machine, machine, MemoryStore } from "./_stores.ts";

const code = bytes("hello");

/** Where modules come from when some codes are looked up; each is right. */
async function lookUp({ cache }: Machine, ...codes: string[]): Promise<string[]> {
  const found = [];
  for (const code of codes) {
    const { from, module } = await cache.resolve(bytes(code));
    assertStrictEquals(module.text, code);
    found.push(from);
  }
  return found;
}

/** What was warned of; all of it is the remote's. */
function warned({ warnings }: Machine): string[] {
  assertEquals(warnings.filter(({ code }) => code !== "REMOTE"), []);
  return warnings.map(({ message }) => message);
}

async function withRedis(
  body: (tier: RemoteTier, server: Server) => Promise<void>,
  ...options: string[]
): Promise<void> {
  const server = await startRedis(...options);
  const storage = createStorage({ driver: redisDriver({ url: server.url, base: "wasm" }) });
  // Otherwise it tells the console of each lost connection.
  (storage.getMount("").driver.getInstance!() as Redis).on("error", () => {});
  try {
    await body(storageRemote(storage), server);
  } finally {
    (storage.getMount("").driver.getInstance!() as Redis).disconnect();
    await server.stop();
  }
}

const redis = { skip: missing.redis, timeout: 60_000 };

test("a Redis server that is killed in the middle", redis, () =>
  withRedis(async (tier, server) => {
    const first = machine(tier, { remoteTimeoutMs: 300 });
    assertEquals(await lookUp(first, "a", "b", "c"), ["compiled", "compiled", "compiled"]);
    await first.cache.flush();
    const second = machine(tier, { remoteTimeoutMs: 300 });
    assertEquals(await lookUp(second, "a"), ["remote"]);
    const underWay = Promise.all([lookUp(second, "b"), lookUp(second, "c")]);
    server.signal("SIGKILL");
    // The one or the other may have been answered.
    for (const [from] of await underWay) assert(from === "remote" || from === "compiled");
    assertEquals(await lookUp(second, "d", "e", "f", "g"), ["compiled", "compiled", "compiled", "compiled"]);
    await second.cache.flush();
    assertEquals(warned(second).length, 1);
  }));

test("a Redis server that hangs, and goes on", redis, () =>
  withRedis(async (tier, server) => {
    const first = machine(tier);
    await lookUp(first, "a", "b");
    await first.cache.flush();
    // It has no other chance to answer than to be woken.
    server.signal("SIGSTOP");
    const second = machine(tier, { remoteTimeoutMs: 200, maxEntries: 0 });
    assertEquals(await lookUp(second, "a", "b"), ["compiled", "compiled"]);
    assertEquals(warned(second).length, 1);
    assertMatch(String(warned(second)), /no answer within 200 ms/);
    server.signal("SIGCONT");
    const third = machine(tier, { remoteTimeoutMs: 10_000 });
    assertEquals(await lookUp(third, "a", "b"), ["remote", "remote"]);
    assertEquals(warned(third), []);
  }));

test("a Redis server that is full", redis, () =>
  withRedis(
    async (tier) => {
      const engine = new TextEngine();
      engine.serialize = ({ text }) => bytes(`artifact of ${text}`.padEnd(text === "large" ? 8_000_000 : 0, "\0"));
      const first = machine(tier, { engine });
      assertEquals(await lookUp(first, "a", "large"), ["compiled", "compiled"]);
      await first.cache.flush();
      assertEquals(warned(first).length, 1);
      assertMatch(String(warned(first)), /OOM/);
      // What is there is still given.
      assertEquals(await lookUp(machine(tier), "a"), ["remote"]);
    },
    "--maxmemory",
    "6mb",
    "--maxmemory-policy",
    "noeviction",
  ));

test("an nginx that is killed in the middle", { skip: missing.nginx, timeout: 60_000 }, async () => {
  const server = await startNginx();
  const tier = httpRemote(`${server.url}/wasm`);
  const first = machine(tier);
  await lookUp(first, "a", "b");
  await first.cache.flush();
  const second = machine(tier);
  assertEquals(await lookUp(second, "a"), ["remote"]);
  const underWay = lookUp(second, "b");
  await server.stop();
  await underWay;
  assertEquals(await lookUp(second, "c", "d", "e", "f"), ["compiled", "compiled", "compiled", "compiled"]);
  await second.cache.flush();
  assertEquals(warned(second).length, 1);
});

/** A machine beside a server that has the entry of one code, and answers what a fault makes of its answers. */
async function beside(
  fault: (answer: Answer, asked: Asked) => Answer,
  body: (machine: Machine, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const files = new Map<string, Uint8Array>();
  const store = storing(files);
  let isFaulty = false;
  const answer = (asked: Asked) => isFaulty ? fault(store(asked), asked) : store(asked);
  await withServer(answer, async ({ url, asked }) => {
    const first = machine(httpRemote(url));
    await lookUp(first, "hello", "other");
    await first.cache.flush();
    isFaulty = true;
    asked.length = 0;
    await inDirectory((directory) => body(machine(httpRemote(url), { directory, remoteTimeoutMs: 500 }), asked));
  });
}

const inTime = { timeout: 60_000 };

test(
  "a server that hangs for 30 s",
  inTime,
  () =>
    beside((answer) => ({ ...answer, delayMs: 30_000 }), async (machine, asked) => {
      assertEquals(await lookUp(machine, "hello"), ["compiled"]);
      assertEquals(warned(machine).length, 1);
      // Nothing was put to what did not answer.
      await machine.cache.flush();
      assertEquals(asked.map(({ method }) => method), ["GET"]);
    }),
);

test("a server that breaks off in the middle of a body, or stops sending", inTime, async () => {
  for (const breaksAt of [0, 1, 100]) {
    await beside((answer) => answer.body ? { ...answer, breaksAt } : answer, async (machine) => {
      assertEquals(await lookUp(machine, "hello"), ["compiled"]);
      assertEquals(warned(machine).length, 1);
    });
  }
});

test(
  "a server with an answer of 500 to everything",
  inTime,
  () =>
    beside(() => ({ status: 500, body: bytes("oops") }), async (machine, asked) => {
      const codes = ["hello", "other", "c", "d", "e", "f"];
      assertEquals(await lookUp(machine, ...codes), codes.map(() => "compiled"));
      await machine.cache.flush();
      assertEquals(warned(machine).length, 1);
      assertMatch(String(warned(machine)), /answered 500/);
      assertStrictEquals(asked.length, 3, "then it is left alone");
    }),
);

test(
  "a server that takes nothing more",
  inTime,
  () =>
    beside((answer, { method }) => method === "PUT" ? { status: 507 } : answer, async (machine) => {
      assertEquals(await lookUp(machine, "hello", "c", "other", "d"), ["remote", "compiled", "remote", "compiled"]);
      await machine.cache.flush();
      assertEquals(warned(machine).length, 1);
    }),
);

test("a server with wrong bytes under a key", inTime, async () => {
  const page = bytes("<html>Please log in</html>");
  const wrong: ((entry: Uint8Array) => Uint8Array)[] = [
    () => page,
    (entry) => entry.slice(1),
    (entry) => entry.slice(0, -1),
    (entry) => entry.map((byte, at) => at === 3 ? byte ^ 1 : byte),
    () => new Uint8Array(),
    () => new Uint8Array(1_000_000),
  ];
  for (const make of wrong) {
    const fault = (answer: Answer) => answer.body ? { ...answer, body: make(answer.body) } : answer;
    await beside(fault, async (machine, asked) => {
      assertEquals(await lookUp(machine, "hello"), ["compiled"]);
      assertEquals(warned(machine).length, 1);
      await machine.cache.flush();
      // It is replaced.
      assertEquals(asked.map(({ method }) => method), ["GET", "PUT"]);
    });
  }
});

test("a server that gives the entry of other code", inTime, async () => {
  const store = new MemoryStore();
  const evil = machine(store);
  await lookUp(evil, "evil");
  await evil.cache.flush();
  const [entry] = store.entries.values();
  await beside((answer) => answer.body ? { ...answer, body: entry } : answer, async (machine) => {
    assertEquals(await lookUp(machine, "hello"), ["compiled"]);
    assertMatch(String(warned(machine)), /another code/);
  });
});

test("a server whose certificate is for another name", { skip: missing.openssl, timeout: 60_000 }, async () => {
  const server = await startNginx({ isSecure: true });
  try {
    const authority = `${server.folder}/ca.pem`;
    const env = { NODE_EXTRA_CA_CERTS: authority, DENO_CERT: authority };
    const client = async (url: string) => {
      const { stdout, stderr } = await runScript(
        runtimes()[thisRuntime()]!,
        "tests/remote/_tls_client.ts",
        [url],
        env,
      );
      assertStrictEquals(stderr.replace(/^.*(Warning|--trace-warnings).*$/gm, "").trim(), "");
      return JSON.parse(stdout);
    };
    const rightName = server.url.replace("127.0.0.1", "localhost");
    assertEquals(await client(rightName), ["compiled", "hello", []]);
    assertEquals(await client(rightName), ["remote", "hello", []]);
    const [from, text, warnings] = await client(server.url);
    assertEquals([from, text, warnings.length], ["compiled", "hello", 1]);
    assertMatch(warnings[0], /^REMOTE /);
  } finally {
    await server.stop();
  }
});

test("a client of Redis that writes arrays as text is found out", redis, async () => {
  const server = await startRedis();
  const client = new Redis(server.url);
  const tier = (put: RemoteTier["put"]): RemoteTier => ({
    get: async (key) => await client.getBuffer(key) ?? undefined,
    put,
  });
  try {
    const careless = tier(async (key, entry) => void await client.set(key, String(entry)));
    const first = machine(careless);
    await first.cache.resolve(code);
    await first.cache.flush();
    const second = machine(tier(async (key, entry) => void await client.set(key, Buffer.from(entry))));
    assertEquals(await lookUp(second, "hello"), ["compiled"]);
    assertEquals(warned(second).length, 1);
    await second.cache.flush();
    assertEquals(await lookUp(machine(careless), "hello"), ["remote"]);
  } finally {
    client.disconnect();
    await server.stop();
  }
});
