// Damaged entries: whatever the damage, the right module, and never an engine that sees unchecked bytes.

import { addressIn } from "../../src/disk/key.ts";
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type CacheWarning, type Engine, ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { XXH3_FROM_BYTES } from "../../src/disk/checksum.ts";
import { openContext, type Storage } from "../../src/context.ts";
import { perform, runAsync } from "../../src/effect.ts";
import { decodeHeader, encodeHeader, type Header, HEADER_BYTES, MAC_BYTES } from "../../src/disk/entry.ts";
import {
  bothWays,
  bytes,
  EMPTY_MODULE,
  entriesIn,
  entryBytes,
  hitsOnly,
  inDirectory,
  inMemory,
  isInFull,
  onlyEntry,
  payloadOf,
  type Resolve,
  ROOT,
  runScript,
  runtimes,
  text,
  TextEngine,
  type TextModule,
  thisRuntime,
  withoutTime,
} from "../_tools.ts";
import { age, fill, HOUR_S } from "./_small.ts";

const good = "artifact of hello";

/** An engine that notices when it is given anything but what was written. */
class WaryEngine extends TextEngine {
  readonly artifact: string;

  constructor(artifact = good) {
    super("wary");
    this.artifact = artifact;
  }

  override serialize(): Uint8Array {
    return bytes(this.artifact);
  }

  override deserialize(artifact: Uint8Array): TextModule | undefined {
    assertStrictEquals(text(artifact), this.artifact);
    return { text: "hello" };
  }
}

type Damage = (entry: Uint8Array) => Iterable<Uint8Array>;

/** Writes each damaged form over the entry, and looks up: it is made again, and the next lookup is a hit. */
async function expectRecompiled(resolve: Resolve, damage: Damage, engine = new WaryEngine()): Promise<void> {
  await inMemory(async (directory) => {
    const cache = new ModuleCache({ engine, directory, onWarning: () => {} });
    await resolve(cache, bytes("hello"));
    const path = onlyEntry(directory);
    const entry = new Uint8Array(readFileSync(path));
    let form = 0;
    for (const damaged of damage(entry)) {
      writeFileSync(path, damaged);
      cache.clearMemory();
      const { from, module } = await resolve(cache, bytes("hello"));
      assertEquals([from, module.text], ["recompiled", "hello"], `form ${form++}`);
      // Of thousands, byte by byte takes seconds.
      assertStrictEquals(Buffer.from(withoutTime(readFileSync(path))).equals(withoutTime(entry)), true);
    }
    cache.clearMemory();
    assertStrictEquals((await resolve(cache, bytes("hello"))).from, "disk");
  });
}

bothWays("every flipped byte of an entry is found", (resolve) =>
  expectRecompiled(resolve, function* (entry) {
    assertStrictEquals(entry.length, entryBytes(good, "wary"));
    for (let i = 0; i < entry.length; i++) yield entry.map((byte, at) => at === i ? byte ^ (1 << i % 8) : byte);
  }));

/** An entry of some size. */
const large = () => new WaryEngine("artifact of hello ".repeat(4000));

/** Numbers that spread, the same at every run: Knuth's multiplicative hash. */
function spread(i: number, below: number): number {
  return (Math.imul(i + 1, 0x9e3779b1) >>> 0) % below;
}

bothWays(
  "flipped bits of a large payload are found",
  (resolve) =>
    expectRecompiled(resolve, function* (entry) {
      for (let i = 0; i < (isInFull ? 1000 : 100); i++) {
        const damaged = entry.slice();
        const at = spread(i, entry.length - HEADER_BYTES);
        damaged[at]! ^= 1 << i % 8;
        yield damaged;
      }
    }, large()),
);

bothWays(
  "truncations of a large entry are found",
  (resolve) =>
    expectRecompiled(resolve, function* (entry) {
      for (let i = 0; i < (isInFull ? 200 : 50); i++) yield entry.slice(0, spread(i, entry.length));
    }, large()),
);

bothWays(
  "entries that change places, or come from another engine, are found",
  (resolve) =>
    inDirectory(async (directory) => {
      const engine = new TextEngine();
      const cache = new ModuleCache({ engine, directory, onWarning: () => {} });
      const pathOf = async (word: string, of = cache) => {
        const { key } = await resolve(of, bytes(word));
        return entriesIn(directory).find((path) => path.endsWith(`${key.slice(2)}`))!;
      };
      const [one, two] = [await pathOf("one"), await pathOf("two")];
      const foreign = await pathOf("one", new ModuleCache({ engine: new TextEngine("text-2"), directory }));
      renameSync(one, `${one}.swap`);
      renameSync(two, one);
      renameSync(`${one}.swap`, two);
      const lookup = async (word: string) => {
        cache.clearMemory();
        const { from, module } = await resolve(cache, bytes(word));
        assertStrictEquals(module.text, word);
        return from;
      };
      assertEquals([await lookup("one"), await lookup("two")], ["recompiled", "recompiled"]);
      assertEquals([await lookup("one"), await lookup("two")], ["disk", "disk"]);
      renameSync(foreign, one);
      assertEquals([await lookup("one"), await lookup("one")], ["recompiled", "disk"]);
    }),
);

bothWays(
  "zeroes, nothing, and an empty directory in an entry's place cost the entry alone",
  (resolve) =>
    inDirectory(async (directory) => {
      const cache = new ModuleCache({ engine: new WaryEngine(), directory, onWarning: () => {} });
      const lookup = async () => {
        cache.clearMemory();
        const { from, module } = await resolve(cache, bytes("hello"));
        assertStrictEquals(module.text, "hello");
        return from;
      };
      await lookup();
      const path = onlyEntry(directory);
      for (const content of [new Uint8Array(), new Uint8Array(1), new Uint8Array(HEADER_BYTES), new Uint8Array(5000)]) {
        writeFileSync(path, content);
        assertEquals([await lookup(), await lookup()], ["recompiled", "disk"]);
      }
      rmSync(path);
      mkdirSync(path);
      assertEquals([await lookup(), await lookup()], ["recompiled", "disk"]);
    }),
);

bothWays(
  "a directory with something in it stays in an entry's place, with a warning that is given once",
  (resolve) =>
    inDirectory(async (directory) => {
      const warnings: string[] = [];
      const onWarning = ({ code, path = "" }: CacheWarning) => warnings.push(`${code} ${path.split(/[\\/]/).at(-1)}`);
      const cache = new ModuleCache({ engine: new WaryEngine(), directory, onWarning });
      const { key } = await resolve(cache, bytes("hello"));
      const path = onlyEntry(directory);
      rmSync(path);
      mkdirSync(path);
      writeFileSync(`${path}/mine`, "precious");
      for (let i = 0; i < 3; i++) {
        cache.clearMemory();
        const { from, module } = await resolve(cache, bytes("hello"));
        assertEquals([from, module.text], ["recompiled", "hello"]);
      }
      assertEquals(warnings, [`CORRUPT ${key.slice(2)}`, `IO ${key.slice(2)}`]);
      assertEquals([readdirSync(path), readdirSync(`${directory}/v1/tmp`)], [["mine"], []]);
    }),
);

bothWays(
  "every truncation of an entry is found, and bytes at its end",
  (resolve) =>
    expectRecompiled(resolve, function* (entry) {
      for (let length = 0; length < entry.length; length++) yield entry.slice(0, length);
      yield Uint8Array.of(...entry, 0);
      yield new Uint8Array(entry.length);
      yield Uint8Array.of(...entry, ...entry);
    }),
);

bothWays(
  "every flipped byte of the host engine's header is found without reading the copy",
  (resolve) =>
    inDirectory(async (directory) => {
      const code = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
      const cache = new ModuleCache({ directory, onWarning: () => {} });
      await resolve(cache, code);
      await cache.flush();
      const path = onlyEntry(directory);
      const entry = new Uint8Array(readFileSync(path));
      for (let i = entry.length - HEADER_BYTES; i < entry.length; i++) {
        writeFileSync(path, entry.map((byte, at) => at === i ? byte ^ 0x40 : byte));
        cache.clearMemory();
        assertStrictEquals((await resolve(cache, code)).from, "recompiled", `byte ${i}`);
        await cache.flush();
      }
      assertEquals(withoutTime(new Uint8Array(readFileSync(path))), withoutTime(entry));
    }),
);

bothWays(
  "a large payload is checked by XXH3 or SHA-256, and its damage found",
  (resolve) =>
    inDirectory(async (directory) => {
      const size = XXH3_FROM_BYTES + 5;
      const engine: Engine<number> = {
        id: "large",
        compile: ([first]) => first!,
        serialize: (module) => new Uint8Array(size).fill(module),
        deserialize: (artifact) => artifact.length === size && artifact.every((byte) => byte === 7) ? 7 : undefined,
      };
      const cache = new ModuleCache({ engine, directory, onWarning: () => {} });
      const lookup = async (by: Resolve) => {
        cache.clearMemory();
        const { from, module } = await by(cache, Uint8Array.of(7));
        assertStrictEquals(module, 7);
        return from;
      };
      assertStrictEquals(await lookup(resolve), "compiled");
      const path = onlyEntry(directory);
      // A lookup of either kind reads what the other wrote.
      assertStrictEquals(await lookup((cache, code) => cache.resolve(code)), "disk");
      assertStrictEquals(await lookup((cache, code) => Promise.resolve(cache.resolveSync(code))), "disk");
      for (const at of [0, size >> 1, size - 1]) {
        const damaged = readFileSync(path);
        damaged[at]! ^= 1;
        writeFileSync(path, damaged);
        assertStrictEquals(await lookup(resolve), "recompiled", `byte ${at}`);
      }
      assertStrictEquals(await lookup(resolve), "disk");
    }),
);

test("an entry that must be the code is not written where the payload is other bytes", async () => {
  await inDirectory(async (directory) => {
    const { platform, storage } = openContext({ directory, strict: true });
    const { directory: folder, disk } = storage as Storage;
    await runAsync(folder.prepare());
    const codeDigest = await runAsync(perform(platform.sha256(bytes("hello"))));
    const address = await runAsync(addressIn(platform, "host", codeDigest));
    const publish = (payload: string) =>
      runAsync(disk.publish(address, bytes(payload), { isCode: true, compileMs: 0 }));
    const error = await publish("other").catch((error) => error);
    assertEquals([error.code, entriesIn(directory)], ["CORRUPT", []]);
    assertStrictEquals((await publish("hello")).isWritten, true);
    assertStrictEquals(text(payloadOf(onlyEntry(directory))), "hello");
  });
});

/** Runs a body in which no more than so many bytes can be had at once; gives the most that was asked for. */
async function withMemory(limit: number, body: () => Promise<void>): Promise<number> {
  const original = globalThis.Uint8Array;
  let most = 0;
  globalThis.Uint8Array = new Proxy(original, {
    construct(target, given, newTarget) {
      if (typeof given[0] === "number") most = Math.max(most, given[0]);
      if (given[0] > limit) throw new RangeError("Array buffer allocation failed");
      return Reflect.construct(target, given, newTarget);
    },
  });
  try {
    await body();
  } finally {
    globalThis.Uint8Array = original;
  }
  return most;
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const sha256 = (data: Uint8Array) => new Uint8Array(createHash("sha256").update(data).digest());

/** A header of an entry, changed, with a seal that is right: anybody can make one. */
function forgedHead(entry: Uint8Array<ArrayBuffer>, changes: Partial<Header>): Uint8Array {
  const header = decodeHeader(entry.slice(-HEADER_BYTES), entry.length);
  if (typeof header === "string") throw new Error(header);
  const sealed = encodeHeader({ ...header, ...changes });
  return Uint8Array.of(...sealed, ...sha256(sealed));
}

/** Writes a file with holes in an entry's place. */
function writeSparse(path: string, head: Uint8Array, payloadLength: number): void {
  rmSync(path);
  writeFileSync(path, "");
  truncateSync(path, payloadLength);
  appendFileSync(path, head);
}

const secret = new Uint8Array(32).fill(7);

/** Entries that say they are large, and what the cache can know of them before it reads on. */
const LARGE: { what: string; options: ModuleCacheOptions; length: number; changes?: Partial<Header>; mac?: boolean }[] =
  [
    { what: "larger than maxDiskBytes", options: {}, length: 3 * GIB },
    { what: "larger than a small maxDiskBytes", options: { maxDiskBytes: MIB }, length: 2 * MIB },
    { what: "of another code", options: {}, length: GIB / 2, changes: { codeDigest: new Uint8Array(32) } },
    { what: "without a seal", options: {}, length: GIB / 2, mac: true },
    { what: "that nobody signed", options: { secret }, length: GIB / 2 },
    { what: "with another's signature", options: { secret }, length: GIB / 2, changes: { isSigned: true }, mac: true },
    { what: "for which there is no memory", options: { maxDiskBytes: Infinity }, length: 3 * GIB },
  ];

for (const { what, options, length, changes, mac } of LARGE) {
  bothWays(`an entry ${what} is replaced, and takes no memory`, (resolve) =>
    inDirectory(async (directory) => {
      const codes: string[] = [];
      const onWarning = ({ code }: CacheWarning) => codes.push(code);
      const open = () =>
        new ModuleCache<TextModule>({ engine: new TextEngine(), directory, onWarning, ...options as object });
      await resolve(open(), bytes("hello"));
      const path = onlyEntry(directory);
      const entry = new Uint8Array(readFileSync(path));
      const head = forgedHead(entry, { payloadLength: length, isSigned: false, ...changes });
      const isUnsealed = mac && !options.secret;
      if (isUnsealed) head[HEADER_BYTES - 1]! ^= 1;
      writeSparse(path, mac && options.secret ? Uint8Array.of(...new Uint8Array(MAC_BYTES), ...head) : head, length);
      const most = await withMemory(GIB, async () => {
        assertStrictEquals((await resolve(open(), bytes("hello"))).from, "recompiled");
      });
      assert(most < MIB || options.maxDiskBytes === Infinity, `${most} bytes`);
      assertEquals(codes, ["CORRUPT"]);
      assertStrictEquals((await resolve(open(), bytes("hello"))).from, "disk");
    }));
}

test("where files must not be so large, an entry is not written and the program goes on", {
  timeout: 60_000,
  skip: process.platform === "win32",
}, () =>
  inDirectory(async (directory) => {
    // Deno's own cache of code may be larger than that.
    const command = runtimes()[thisRuntime()]!.flatMap((part) => part === "run" ? [part, "--no-code-cache"] : part);
    const limited = ["bash", "-c", 'ulimit -f 16384 && exec "$@"', "bash", ...command];
    for (const way of ["sync", "async"]) {
      const args = [directory, String(20 * MIB), way];
      const { code, stdout, stderr } = await runScript(limited, `${ROOT}/tests/_large_artifact.ts`, args);
      assertEquals([code, JSON.parse(stdout || "[]")], [0, [
        "compiled",
        "IO",
        "Deno" in globalThis ? "ENOSPC" : "EFBIG",
      ]], stderr);
      assertEquals([entriesIn(directory), readdirSync(`${directory}/v1/tmp`)], [[], []]);
    }
  }));

bothWays(
  "a hit keeps an entry from going, at the cost of one touch an hour",
  (resolve) =>
    inDirectory(async (directory) => {
      const engine = new TextEngine();
      await fill(directory, "a", engine);
      const path = onlyEntry(directory);
      const hit = async (seconds: number, options: ModuleCacheOptions<TextModule> = {}) => {
        age(path, seconds);
        const before = statSync(path).mtimeMs;
        const cache = new ModuleCache({ engine: hitsOnly(engine), directory, strict: true, ...options });
        assertStrictEquals((await resolve(cache, bytes("a"))).from, "disk");
        return statSync(path).mtimeMs - before > 1000;
      };
      assertEquals([await hit(2 * HOUR_S), await hit(0.5 * HOUR_S), await hit(-2 * HOUR_S)], [true, false, false]);
      assert(Math.abs(statSync(path).mtimeMs - Date.now()) < 60_000);
      assertStrictEquals(await hit(2 * HOUR_S, { readOnly: true }), false);
    }),
);

test("a hit of the host engine keeps its entry too", async () => {
  await inDirectory(async (directory) => {
    const cache = new ModuleCache({ directory, strict: true });
    await cache.compile(EMPTY_MODULE);
    await cache.flush();
    age(onlyEntry(directory), 2 * HOUR_S);
    cache.clearMemory();
    assertStrictEquals((await cache.resolve(EMPTY_MODULE)).from, "disk");
    assert(Math.abs(statSync(onlyEntry(directory)).mtimeMs - Date.now()) < 60_000);
  });
});
