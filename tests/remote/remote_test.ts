// The remote tier behind the directory: order, what travels, what is refused, and that it is never in the way.

import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type CacheWarning, ModuleCache, type RemoteTier } from "@wasm/module-cache";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { openContext } from "../../src/context.ts";
import { runAsync } from "../../src/effect.ts";
import { lookup } from "../../src/lookup.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import {
  bytes,
  EMPTY_MODULE,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  revoked,
  runScript,
  runtimes,
  text,
  TextEngine,
  type TextModule,
  thisRuntime,
} from "../_tools.ts";
import { isRemoteFault, machine, MemoryStore } from "./_stores.ts";

const code = bytes("hello");

/** A store with the entry of one code. */
async function filled(text = "hello"): Promise<MemoryStore> {
  const store = new MemoryStore();
  const { cache } = machine(store);
  await cache.resolve(bytes(text));
  await cache.flush();
  store.calls.length = 0;
  return store;
}

test("a module made on one machine comes from the remote on another, and is in its directory then", () =>
  inDirectory(async (top) => {
    const store = new MemoryStore();
    const first = machine(store, { directory: join(top, "first") });
    assertStrictEquals((await first.cache.resolve(code)).from, "compiled");
    await first.cache.flush();
    assertEquals(store.calls, ["get", "put"]);
    assertEquals([...store.entries.values()], [new Uint8Array(readFileSync(onlyEntry(join(top, "first"))))]);

    const second = machine(store, { directory: join(top, "second") });
    const { from, key, module } = await second.cache.resolve(code);
    assertEquals([from, module.text, second.engine.compiles], ["remote", "hello", 0]);
    assertEquals([...store.entries.keys()], [key]);
    await second.cache.flush();
    assertEquals(store.calls, ["get", "put", "get"]);
    assertEquals(readFileSync(onlyEntry(join(top, "second"))), readFileSync(onlyEntry(join(top, "first"))));

    assertStrictEquals((await second.cache.resolve(code)).from, "memory");
    const again = machine(store, { directory: join(top, "second") });
    assertStrictEquals((await again.cache.resolve(code)).from, "disk");
    assertEquals(store.calls.length, 3);

    const { length } = [...store.entries.values()][0]!;
    const counts = ({ cache }: typeof first) => {
      const { remoteHits, remoteMisses, remoteFailures, remoteBytesRead, remoteBytesWritten, writes } = cache.stats();
      return [remoteHits, remoteMisses, remoteFailures, remoteBytesRead, remoteBytesWritten, writes];
    };
    assertEquals(counts(first), [0, 1, 0, 0, length, 1]);
    assertEquals(counts(second), [1, 0, 0, length, 0, 1]);
    assertEquals(counts(again), [0, 0, 0, 0, 0, 0]);
    assert(second.cache.stats().remoteMs > 0);
  }));

test("without a directory, memory and remote still work", async () => {
  const store = await filled();
  const { cache, engine } = machine(store);
  assertStrictEquals((await cache.resolve(code)).from, "remote");
  assertStrictEquals((await cache.resolve(code)).from, "memory");
  assertStrictEquals(engine.compiles, 0);
});

test("a lookup with a remote hit is an event", async () => {
  const { cache } = machine(await filled());
  const told: string[] = [];
  cache.addEventListener("lookup", ({ detail: { from } }) => told.push(from));
  await cache.resolve(code);
  assertEquals(told, ["remote"]);
});

test("a remote hit saves what the compile took on the other machine", async () => {
  let nowMs = 0;
  const engine = new TextEngine();
  engine.compile = (code) => {
    nowMs += 100;
    return { text: text(code) };
  };
  const store = new MemoryStore();
  const platform = { ...detectPlatform(), clock: () => nowMs };
  for (const savedMs of [0, 100]) {
    const context = openContext({ engine, remote: store }, platform);
    await runAsync(lookup(context, code));
    await context.remote!.behind.flush();
    assertStrictEquals(context.counters.savedMs, savedMs);
  }
});

test("what is not to be stored is not put", () =>
  inDirectory(async (directory) => {
    const file = join(directory, "code.txt");
    writeFileSync(file, code);
    const store = new MemoryStore();
    const { cache } = machine(store);
    await cache.load(pathToFileURL(file), { cache: "no-store" });
    await cache.flush();
    assertEquals(store.calls, []);
  }));

test("a directory that cannot be written does not hide the remote", () =>
  inDirectory(async (directory) => {
    const store = await filled();
    const { cache } = machine(store, { directory, readOnly: true });
    assertStrictEquals((await cache.resolve(code)).from, "remote");
    assertEquals(entriesIn(directory), []);
    assertStrictEquals((await cache.resolve(bytes("other"))).from, "compiled");
    await cache.flush();
    assertEquals(store.calls, ["get", "get"], "readOnly puts nothing");
  }));

test("synchronous lookups never ask the remote, and put what it does not have", () =>
  inDirectory(async (directory) => {
    const store = new MemoryStore();
    const { cache } = machine(store, { directory });
    assertStrictEquals(cache.resolveSync(code).from, "compiled");
    assertEquals(store.calls, []);
    await cache.flush();
    assertEquals(store.calls, ["has", "put"]);
    const other = machine(store);
    assertStrictEquals(other.cache.resolveSync(code).from, "compiled");
    await other.cache.flush();
    assertEquals(store.calls, ["has", "put", "has"]);
  }));

test("requireHit takes a module from the remote", async () => {
  const store = await filled();
  const { cache } = machine(store, { requireHit: true });
  assertStrictEquals((await cache.resolve(code)).from, "remote");
  const error = await assertRejects(() => cache.resolve(bytes("other")));
  assertMatch(String(error), /requireHit/);
  assertEquals(store.calls, ["get", "get"]);
});

test("of an entry any byte of which is wrong, nothing is used nor stored, and it is made again", () =>
  inDirectory(async (top) => {
    const store = await filled();
    const [[key, entry] = ["", new Uint8Array()]] = store.entries;
    for (let at = 0; at < entry.length; at++) {
      store.entries.set(key, entry.map((byte, index) => index === at ? byte ^ 1 : byte));
      const directory = join(top, String(at));
      const engine = new TextEngine();
      engine.deserialize = () => {
        throw new Error("the engine got an artifact");
      };
      const { cache, warnings } = machine(store, { directory, engine });
      const { from, module } = await cache.resolve(code);
      assertEquals([from, module.text], ["compiled", "hello"], `byte ${at}`);
      assertEquals(warnings.map(({ code }) => code), ["REMOTE"], `byte ${at}`);
      assertStrictEquals(cache.stats().remoteFailures, 1);
      await cache.flush();
      // What was made here took its place, in the directory and at the remote.
      assertEquals(store.entries.get(key), new Uint8Array(readFileSync(onlyEntry(directory))));
    }
  }));

test("a damaged entry is reported once, another as well", async () => {
  const store = await filled();
  const { cache } = machine(store);
  await cache.resolve(bytes("other"));
  await cache.flush();
  let gets = 0;
  // Each time in another way.
  const damaged = (entry?: Uint8Array) =>
    entry?.map((byte, at) => at === gets * 20 ? byte ^ 1 : byte).slice(++gets % 2);
  const keeping: RemoteTier = {
    get: async (key) => damaged(await store.get(key)),
    put: () => Promise.resolve(),
  };
  const { cache: second, warnings } = machine(keeping, { maxEntries: 0 });
  for (let round = 0; round < 3; round++) {
    await second.resolve(code);
    await second.resolve(bytes("other"));
  }
  assertEquals(warnings.length, 2);
  assertEquals(new Set(warnings.map(({ message }) => message)).size, 2);
});

test("an entry of other code, or of another engine, is refused", async () => {
  const store = await filled("evil");
  const [wrong] = store.entries.values();
  for (const engine of [new TextEngine(), new TextEngine("text-2")]) {
    const { cache, warnings } = machine({ get: () => Promise.resolve(wrong), put: () => Promise.resolve() }, {
      engine,
    });
    const code = engine.id === "text-1" ? "hello" : "evil";
    const { from, module } = await cache.resolve(bytes(code));
    assertEquals([from, module.text], ["compiled", code]);
    assertMatch(String(warnings), /another (code|engine)/);
  }
});

test("an entry that is signed otherwise is refused, and one with the secret is taken", async () => {
  const store = new MemoryStore();
  const secret = bytes("a secret of no less than 32 bytes");
  const signing = machine(store, { secret });
  await signing.cache.resolve(code);
  await signing.cache.flush();
  assertStrictEquals((await machine(store, { secret }).cache.resolve(code)).from, "remote");
  const other = machine(store, { secret: bytes("another") });
  assertStrictEquals((await other.cache.resolve(code)).from, "compiled");
  assertMatch(String(other.warnings), /another secret/);
  const unsigned = await filled();
  assertStrictEquals((await machine(unsigned, { secret }).cache.resolve(code)).from, "compiled");
});

test("what the engine does to the memory of an artifact stays out of the directory, and what the store does too", () =>
  inDirectory(async (directory) => {
    const store = await filled();
    const engine = new TextEngine();
    engine.deserialize = (artifact) => {
      for (const entry of store.entries.values()) entry.fill(0);
      const module = { text: text(artifact).replace("artifact of ", "") };
      artifact.fill(0);
      return module;
    };
    const { cache } = machine(store, { directory, engine });
    const { from, module } = await cache.resolve(code);
    assertEquals([from, module.text], ["remote", "hello"]);
    const second = new ModuleCache({ engine: hitsOnly(new TextEngine()), directory });
    assertStrictEquals((await second.resolve(code)).from, "disk");
  }));

test("an entry that the engine does not take is replaced, here and there", () =>
  inDirectory(async (directory) => {
    const store = await filled();
    const engine = new TextEngine();
    engine.deserialize = () => undefined;
    const { cache } = machine(store, { directory, engine });
    assertStrictEquals((await cache.resolve(code)).from, "compiled");
    await cache.flush();
    assertEquals(store.calls, ["get", "put"]);
    assertStrictEquals(cache.stats().remoteFailures, 1);
  }));

test("entries longer than maxRemoteEntryBytes are neither put nor taken", async () => {
  const store = await filled();
  const { length } = [...store.entries.values()][0]!;
  const small = machine(store, { maxRemoteEntryBytes: length - 1 });
  assertStrictEquals((await small.cache.resolve(code)).from, "compiled");
  await small.cache.flush();
  assertEquals(store.calls, ["get"]);
  assertMatch(String(small.warnings), /maxRemoteEntryBytes/);
  assertStrictEquals((await machine(store, { maxRemoteEntryBytes: length }).cache.resolve(code)).from, "remote");
});

test("a store that gives something else than bytes fails, and null is nothing", async () => {
  for (const [given, isFault] of [["text", true], [[1], true], [null, false], [undefined, false]] as const) {
    const remote: RemoteTier = { get: () => Promise.resolve(given as never), put: () => Promise.resolve() };
    const { cache, warnings } = machine(remote);
    assertStrictEquals((await cache.resolve(code)).from, "compiled");
    assertEquals(warnings.map(({ code }) => code), isFault ? ["REMOTE"] : []);
  }
});

test("memory that others share or resize is no way in", async () => {
  const store = await filled();
  const [entry = new Uint8Array()] = store.entries.values();
  const shared = new Uint8Array(new SharedArrayBuffer(entry.length));
  const resizable = new Uint8Array(new ArrayBuffer(entry.length, { maxByteLength: 2 * entry.length }));
  for (const memory of [shared, resizable]) {
    memory.set(entry);
    const remote: RemoteTier = { get: () => Promise.resolve(memory), put: () => Promise.resolve() };
    assertStrictEquals((await machine(remote).cache.resolve(code)).from, "remote");
  }
});

test("a failing remote is a miss and one warning, whatever it does", async () => {
  const failures: (() => never | Promise<never>)[] = [
    () => Promise.reject(new Error("refused")),
    () => {
      throw new Error("at once");
    },
    () => Promise.reject(undefined),
    () => Promise.reject(revoked()),
  ];
  for (const fail of failures) {
    const { cache, warnings } = machine({ get: fail, put: fail }, { maxEntries: 0 });
    for (let round = 0; round < 3; round++) assertStrictEquals((await cache.resolve(code)).from, "compiled");
    await cache.flush();
    assertEquals(warnings.map(({ code }) => code), ["REMOTE"]);
    assertStrictEquals(cache.stats().remoteFailures, 3);
  }
});

test("a remote that hangs is aborted after the limit, and its signal says why", async () => {
  const reasons: unknown[] = [];
  const remote: RemoteTier = {
    get: (_key, { signal }) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason.name));
      // Does not listen itself.
      return new Promise(() => {});
    },
    put: () => Promise.resolve(),
  };
  const { cache, warnings } = machine(remote, { remoteTimeoutMs: 20 });
  // More than run at once: those that wait for their turn wait no longer either.
  const lookups = Array.from({ length: 40 }, (_, at) => cache.resolve(bytes(`code ${at}`)));
  assertEquals(new Set((await Promise.all(lookups)).map(({ from }) => from)), new Set(["compiled"]));
  assertEquals(new Set(reasons), new Set(["TimeoutError"]));
  // Two may take the places of the first two that were given up; the third failure ends that.
  assert(reasons.length >= 16 && reasons.length <= 18, String(reasons.length));
  assertEquals(warnings.length, 1);
  assertMatch(String(warnings), /no answer within 20 ms/);
});

test("who aborts a load does not wait for the remote", () =>
  inDirectory(async (directory) => {
    const file = join(directory, "code.txt");
    writeFileSync(file, code);
    const abort = new AbortController();
    const remote: RemoteTier = {
      get: () => {
        abort.abort(new Error("enough"));
        return new Promise(() => {});
      },
      put: () => Promise.resolve(),
    };
    const { cache } = machine(remote, { remoteTimeoutMs: 1000 });
    const { message } = await assertRejects(() => cache.load(pathToFileURL(file), { signal: abort.signal }));
    assertStrictEquals(message, "enough");
  }));

test("calls that wait for a place for most of their time do not have the remote left alone", async () => {
  let nowMs = 0;
  let gets = 0;
  const gate = Promise.withResolvers<undefined>();
  const remote: RemoteTier = {
    // The first sixteen are slow, those after them begin too late.
    get: () => ++gets <= 16 ? gate.promise : gets <= 20 ? new Promise(() => {}) : Promise.resolve(undefined),
    put: () => Promise.resolve(),
  };
  const options = { engine: new TextEngine(), remote, readOnly: true, remoteTimeoutMs: 500, onWarning: () => {} };
  const context = openContext(options, { ...detectPlatform(), clock: () => nowMs });
  const look = (at: number) => runAsync(lookup(context, bytes(`code ${at}`)));
  const all = Array.from({ length: 20 }, (_, at) => look(at));
  while (gets < 16) await new Promise((resolve) => setTimeout(resolve, 1));
  nowMs += 400;
  gate.resolve(undefined);
  await Promise.all(all);
  assertEquals([gets, context.counters.remoteFailures], [20, 4]);
  await look(20);
  assertStrictEquals(gets, 21);
});

test("no more than 16 calls run at once", async () => {
  let [running, most] = [0, 0];
  const call = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
  };
  const remote: RemoteTier = { get: () => call() as Promise<undefined>, put: call };
  const { cache } = machine(remote, { remoteTimeoutMs: 60_000 });
  await Promise.all(Array.from({ length: 100 }, (_, at) => cache.resolve(bytes(`code ${at}`))));
  await cache.flush();
  assertStrictEquals(most, 16);
  assertStrictEquals(running, 0);
});

test("after three failures in a row the remote is left alone for 30 s, then one call tries it", async () => {
  let nowMs = 0;
  let isUp = false;
  let calls = 0;
  const remote: RemoteTier = {
    get: async () => {
      calls++;
      await Promise.resolve();
      if (!isUp) throw new Error("down");
      return undefined;
    },
    put: () => Promise.resolve(),
  };
  const engine = new TextEngine();
  const options = { engine, remote, readOnly: true, maxEntries: 0, onWarning: () => {} };
  const context = openContext(options, { ...detectPlatform(), clock: () => nowMs });
  const look = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, at) => runAsync(lookup(context, bytes(`code ${at}`)))));
  await look(1);
  isUp = true;
  await look(1);
  isUp = false;
  await look(1);
  await look(1);
  assertStrictEquals(calls, 4);
  // The 30 s begin with the last of them.
  nowMs += 60_000;
  await look(1);
  assertStrictEquals(calls, 5, "three in a row");
  nowMs += 29_999;
  await look(20);
  assertStrictEquals(calls, 5);
  nowMs += 1;
  await look(20);
  assertStrictEquals(calls, 6, "one tries, which fails");
  nowMs += 30_000;
  isUp = true;
  await look(1);
  await look(20);
  assertStrictEquals(calls, 27);
  assertStrictEquals(context.counters.remoteFailures, 5);
});

test("strict caches throw what is wrong with the remote", async () => {
  const failing: RemoteTier = { get: () => Promise.reject(new Error("down")), put: () => Promise.resolve() };
  const error = await assertRejects(() => machine(failing, { strict: true }).cache.resolve(code));
  assert(isRemoteFault(error));
  const full: RemoteTier = { get: () => Promise.resolve(undefined), put: () => Promise.reject(new Error("full")) };
  const { cache } = machine(full, { strict: true });
  assertStrictEquals((await cache.resolve(code)).from, "compiled");
  assert(isRemoteFault(await assertRejects(() => cache.flush())));
});

test("an engine that stores the code has nothing to share", () =>
  inDirectory(async (directory) => {
    const store = new MemoryStore();
    const cache = new ModuleCache({ remote: store, directory });
    await cache.resolve(EMPTY_MODULE);
    await cache.flush();
    await cache.warm([EMPTY_MODULE]);
    assertEquals(store.calls, []);
  }));

test("messages say what failed, and why", async () => {
  const fail = () => Promise.reject(new Error("because"));
  const none = () => Promise.resolve(undefined);
  const said = async (tier: RemoteTier, use: (cache: ModuleCache<TextModule>) => unknown) => {
    const { cache, warnings } = machine(tier);
    await use(cache);
    await cache.flush();
    return warnings.map(({ message }) => message);
  };
  const because = (act: string) => [`Cannot ${act} the remote: Error: because`];
  const resolve = (cache: ModuleCache<TextModule>) => cache.resolve(code);
  assertEquals(await said({ get: fail, put: none }, resolve), because("get entry from"));
  assertEquals(await said({ get: none, put: fail }, resolve), because("put entry to"));
  const looking: RemoteTier = { get: none, put: none, has: fail };
  assertEquals(await said(looking, (cache) => cache.resolveSync(code)), because("look for entry at"));
  const deleting: RemoteTier = { get: none, put: none, delete: fail };
  assertEquals(await said(deleting, (cache) => cache.delete(code)), because("delete entry at"));
});

test("a store is told how much may be read", async () => {
  const told: unknown[] = [];
  const remote: RemoteTier = {
    get: (_key, { maxBytes }) => Promise.resolve(void told.push(maxBytes)),
    put: () => Promise.resolve(),
  };
  await machine(remote, { maxRemoteEntryBytes: 123 }).cache.resolve(code);
  assertEquals(told, [123]);
});

test("delete removes the entry from the directory whatever the remote does", () =>
  inDirectory(async (directory) => {
    const store = await filled();
    const remote: RemoteTier = {
      get: (key) => store.get(key),
      put: () => Promise.resolve(),
      delete: () => Promise.reject(),
    };
    const { cache } = machine(remote, { directory, strict: true });
    await cache.resolve(code);
    assert(isRemoteFault(await assertRejects(() => cache.delete(code))));
    assertEquals(entriesIn(directory), []);
  }));

test("what is being put does not come back after delete", async () => {
  const store = new MemoryStore();
  const { cache } = machine(store);
  await cache.resolve(code);
  await cache.delete(code);
  await cache.flush();
  assertEquals([store.calls, store.entries.size], [["get", "put", "delete"], 0]);
});

test("a process ends when its calls have ended, however long they could have taken", { timeout: 60_000 }, async () => {
  const { code, stderr, stdout } = await runScript(runtimes()[thisRuntime()]!, "tests/remote/_patient.ts");
  assertEquals([code, stdout.trim()], [0, "compiled"], stderr);
});

test("delete removes the entry from the remote too, unless the cache is read-only", async () => {
  const store = await filled();
  const { cache } = machine(store, { readOnly: true });
  await cache.delete(code);
  assertEquals(store.calls, []);
  await machine(store).cache.delete(code);
  assertEquals([store.calls, store.entries.size], [["delete"], 0]);
});

test("warm puts what the directory has and the remote has not, and has put it when it ends", () =>
  inDirectory(async (directory) => {
    const store = new MemoryStore();
    await new ModuleCache({ engine: new TextEngine(), directory }).warm([code]);
    await machine(store, { directory }).cache.warm([code, bytes("other")]);
    assertStrictEquals(store.entries.size, 2);
    assertEquals(store.calls.toSorted(), ["get", "has", "put", "put"]);
    assertEquals([...store.entries.values()].length, 2);
    const { cache, engine } = machine(store);
    await cache.warm([code, bytes("other")]);
    assertEquals([engine.compiles, cache.stats().remoteHits], [0, 2]);
  }));

test("work in the background is put too when a lookup joins another", async () => {
  const store = new MemoryStore();
  const { cache, engine } = machine(store);
  const found = await Promise.all([cache.resolve(code), cache.resolve(code), cache.resolve(code)]);
  await cache.flush();
  assertEquals(found.map(({ from }) => from), ["compiled", "memory", "memory"]);
  assertEquals([engine.compiles, store.calls], [1, ["get", "put"]]);
});

test("machine code is not shared without a secret", () => {
  const engine = Object.assign(new TextEngine(), { native: true });
  const remote = new MemoryStore();
  const error = assertThrows(() => new ModuleCache({ engine, remote }));
  assert(error instanceof TypeError);
  assertMatch(error.message, /secret/);
  new ModuleCache({ engine, remote, secret: bytes("a secret") });
});

test("what is no remote is refused at once", () => {
  const ok = () => Promise.resolve(undefined);
  for (
    const remote of [null, 1, "http://localhost", {}, { get: ok }, { get: ok, put: 1 }, { get: ok, put: ok, has: 1 }]
  ) {
    const error = assertThrows(() => new ModuleCache({ remote: remote as never }));
    assert(error instanceof TypeError, String(remote));
  }
  for (const [name, value] of [["remoteTimeoutMs", -1], ["maxRemoteEntryBytes", 1.5], ["remoteTimeoutMs", "1"]]) {
    assertThrows(() => new ModuleCache({ [name!]: value }));
  }
});

test("a directory that is removed while the remote answers costs nothing but its entry", () =>
  inDirectory(async (top) => {
    const store = await filled();
    const directory = join(top, "cache");
    const warnings: CacheWarning[] = [];
    const { cache } = machine(store, { directory, onWarning: (warning) => void warnings.push(warning) });
    assertStrictEquals((await cache.resolve(code)).from, "remote");
    assertStrictEquals(existsSync(onlyEntry(directory)), true);
    assertEquals(warnings, []);
  }));
