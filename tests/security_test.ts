// What the directory promises to its owner: modes, no links, nothing loaded as machine code that others could write.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { CacheError, ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { identity } from "../src/v8/identity.ts";
import { makeArtifact, startSupervisor } from "../src/v8/processes.ts";
import { PROBE } from "../src/v8/proof.ts";
import { withWatches } from "./faults/_runtime_calls.ts";
import { Watch } from "./faults/_watch.ts";
import {
  bothWays,
  bytes,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  ROOT,
  runScript,
  runtimes,
  TextEngine,
  type TextModule,
} from "./_tools.ts";

const isWindows = process.platform === "win32";
const isRoot = !isWindows && process.getuid!() === 0;

/** Everything in a directory that is not as its owner's alone. */
function exposed(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).filter((name) => {
    const stat = lstatSync(`${directory}/${name}`);
    return (stat.mode & 0o777) !== (stat.isDirectory() ? 0o700 : 0o600);
  });
}

bothWays("directories are 0700 and files 0600 whatever the umask", (resolve) =>
  inDirectory(async (directory) => {
    if (isWindows) return;
    for (const umask of [0, 0o022, 0o077, 0o777]) {
      const path = `${directory}/${umask}/cache`;
      const before = process.umask(umask);
      try {
        const cache = new ModuleCache({ engine: new TextEngine(), directory: path, strict: true });
        assertStrictEquals((await resolve(cache, bytes("hello"))).from, "compiled");
        assertStrictEquals((await cache.prune()).entries, 1);
      } finally {
        process.umask(before);
      }
      assertEquals(exposed(`${directory}/${umask}`), [], `umask ${umask.toString(8)}`);
    }
  }));

/** Puts something in the place of the only entry, and looks up: the right module, and an entry again. */
bothWays("a link in an entry's place is not followed, and replaced", (resolve) =>
  inDirectory(async (directory) => {
    if (isWindows) return;
    const engine = new TextEngine();
    await resolve(new ModuleCache({ engine, directory: `${directory}/cache` }), bytes("hello"));
    const path = onlyEntry(`${directory}/cache`);
    // What it leads to is even right, but could be anybody's.
    writeFileSync(`${directory}/target`, readFileSync(path));
    for (const target of [`${directory}/target`, `${directory}/none`]) {
      rmSync(path);
      symlinkSync(target, path);
      const codes: string[] = [];
      const onWarning = ({ code }: CacheError) => codes.push(code);
      const cache = new ModuleCache({ engine, directory: `${directory}/cache`, onWarning });
      assertEquals([(await resolve(cache, bytes("hello"))).from, codes], ["recompiled", ["CORRUPT"]]);
      assertEquals([lstatSync(path).isSymbolicLink(), existsSync(`${directory}/none`)], [false, false]);
      cache.clearMemory();
      assertStrictEquals((await resolve(cache, bytes("hello"))).from, "disk");
    }
  }));

bothWays(
  "a pipe in an entry's place makes nobody wait, and is replaced",
  (resolve) =>
    inDirectory(async (directory) => {
      if (isWindows) return;
      const engine = new TextEngine();
      const cache = new ModuleCache({ engine, directory, onWarning: () => {} });
      await resolve(cache, bytes("hello"));
      const path = onlyEntry(directory);
      rmSync(path);
      execFileSync("mkfifo", [path]);
      cache.clearMemory();
      assertStrictEquals((await resolve(cache, bytes("hello"))).from, "recompiled");
      cache.clearMemory();
      assertStrictEquals((await resolve(cache, bytes("hello"))).from, "disk");
    }),
);

bothWays(
  "links in the places of stamp and locks lead to nothing being written",
  (resolve) =>
    inDirectory(async (directory) => {
      if (isWindows) return;
      const root = `${directory}/cache/v1`;
      const open = () =>
        new ModuleCache({ engine: new TextEngine(), directory: `${directory}/cache`, onWarning: () => {} });
      const { key } = await resolve(open(), bytes("hello"));
      writeFileSync(`${directory}/precious`, "untouched");
      for (const path of [`${root}/pruned`, `${root}/locks/${key.slice(0, 2)}`]) {
        rmSync(path, { force: true });
        symlinkSync(`${directory}/precious`, path);
      }
      await open().delete(key);
      assertStrictEquals((await resolve(open(), bytes("hello"))).from, "compiled");
      assertStrictEquals((await resolve(open(), bytes("hello"))).from, "disk");
      assertStrictEquals(readFileSync(`${directory}/precious`, "utf8"), "untouched");
      assertStrictEquals(lstatSync(`${root}/pruned`).isSymbolicLink(), false);
    }),
);

class NativeEngine extends TextEngine {
  readonly native = true;
}

/** A native engine neither takes an entry from here nor leaves one, and says why. */
async function expectUntrusted(directory: string, isSync: boolean): Promise<void> {
  const warnings: CacheError[] = [];
  const engine = new NativeEngine("native");
  const cache = new ModuleCache<TextModule>({ engine, directory, onWarning: (warning) => warnings.push(warning) });
  const before = readdirSync(directory, { recursive: true });
  for (let i = 0; i < 2; i++) {
    const { from, module } = isSync ? cache.resolveSync(bytes("hello")) : await cache.resolve(bytes("hello"));
    assertEquals([from, module.text], ["compiled", "hello"]);
    cache.clearMemory();
  }
  assertEquals(warnings.map(({ code }) => code), ["UNTRUSTED"]);
  assertEquals(readdirSync(directory, { recursive: true }), before);
  const strict = new ModuleCache<TextModule>({ engine, directory, strict: true });
  assertStrictEquals((await assertRejects(() => strict.resolve(bytes("hello")), CacheError)).code, "UNTRUSTED");
}

for (const isSync of [false, true]) {
  const kind = isSync ? "sync" : "async";

  test(`a native engine refuses what others can write, ${kind}`, async () => {
    await inDirectory(async (directory) => {
      if (isWindows) return;
      const trusted = new ModuleCache<TextModule>({ engine: new NativeEngine("native"), directory, strict: true });
      assertStrictEquals(trusted.status().disk, "read-write");
      await trusted.resolve(bytes("hello"));
      const entry = onlyEntry(directory);
      const folders = [directory, `${directory}/v1`, `${directory}/v1/tmp`, `${directory}/v1/locks`];
      const places = [...folders, dirname(dirname(entry)), dirname(entry), entry];
      for (const [i, place] of places.entries()) {
        const { mode, gid, uid } = statSync(place);
        for (const exposing of [0o020, 0o002]) {
          chmodSync(place, mode | exposing);
          await expectUntrusted(directory, isSync).catch((cause) => {
            throw new Error(`${place} with ${exposing.toString(8)}`, { cause });
          });
          // What is below the root depends on the code.
          const { disk, reason } = trusted.status();
          assertStrictEquals(disk, i < folders.length ? "off" : "read-write");
          if (i < folders.length) assert(reason!.includes(place));
        }
        chmodSync(place, mode & 0o777);
        if (!isRoot) continue;
        chownSync(place, 12345, gid);
        await expectUntrusted(directory, isSync);
        chownSync(place, uid, gid);
      }
      const hit = new ModuleCache({ engine: hitsOnly(new NativeEngine("native")), directory, strict: true });
      assertStrictEquals((isSync ? hit.resolveSync(bytes("hello")) : await hit.resolve(bytes("hello"))).from, "disk");
    });
  });
}

test("an engine that is not native takes what it verified from anywhere", async () => {
  await inDirectory(async (directory) => {
    if (isWindows) return;
    chmodSync(directory, 0o777);
    const cache = new ModuleCache({ engine: new TextEngine(), directory, strict: true });
    await cache.resolve(bytes("hello"));
    assertStrictEquals(cache.status().disk, "read-write");
    assertStrictEquals(entriesIn(directory).length, 1);
  });
});

test("a native engine follows the link that its user gave, and none below", async () => {
  await inDirectory(async (directory) => {
    if (isWindows) return;
    symlinkSync(directory, `${directory}/link`);
    const options = { engine: new NativeEngine("native"), directory: `${directory}/link`, strict: true };
    await new ModuleCache(options).resolve(bytes("hello"));
    assertStrictEquals((await new ModuleCache(options).resolve(bytes("hello"))).from, "disk");
    execFileSync("mv", [`${directory}/v1`, `${directory}/elsewhere`]);
    symlinkSync(`${directory}/elsewhere`, `${directory}/v1`);
    const error = await assertRejects(() => new ModuleCache(options).resolve(bytes("hello")), CacheError);
    assertStrictEquals(error.code, "UNTRUSTED");
  });
});

bothWays(
  "a native engine writes nothing where others got at a folder since it looked",
  (resolve) =>
    inDirectory(async (directory) => {
      if (isWindows) return;
      const codes: string[] = [];
      const onWarning = ({ code }: CacheError) => codes.push(code);
      const cache = new ModuleCache<TextModule>({ engine: new NativeEngine("native"), directory, onWarning });
      await resolve(cache, bytes("hello"));
      for (const folder of ["tmp", "locks"]) {
        chmodSync(`${directory}/v1/${folder}`, 0o777);
        const before = readdirSync(directory, { recursive: true });
        assertStrictEquals((await resolve(cache, bytes(folder))).module.text, folder);
        assertEquals(readdirSync(directory, { recursive: true }), before);
        chmodSync(`${directory}/v1/${folder}`, 0o700);
      }
      assertEquals(codes, ["UNTRUSTED", "UNTRUSTED"]);
    }),
);

/** Does something just before the runtime opens the only entry, which the cache has looked for. */
async function beforeOpening<T>(directory: string, act: (entry: string) => void, body: () => Promise<T>): Promise<T> {
  const entry = onlyEntry(directory);
  let isDone = false;
  const watch = new Watch(directory, (_at, { label }) => {
    if (label === "open entry" && !isDone) act(entry);
    isDone ||= label === "open entry";
    return undefined;
  });
  const result = await watch.during(body);
  assert(isDone);
  return result;
}

bothWays(
  "a native engine looks at the entry that it opened, and not at its name",
  (resolve) =>
    inDirectory((directory) =>
      withWatches(async () => {
        if (isWindows) return;
        const codes: string[] = [];
        const onWarning = ({ code }: CacheError) => codes.push(code);
        const engine = new NativeEngine("native");
        await resolve(new ModuleCache({ engine, directory, strict: true }), bytes("hello"));
        const cache = new ModuleCache<TextModule>({ engine, directory, onWarning });
        const lookup = () => resolve(cache, bytes("hello"));
        const exposed = await beforeOpening(directory, (entry) => chmodSync(entry, 0o666), lookup);
        assertEquals([exposed.from, codes], ["compiled", ["UNTRUSTED"]]);
      })
    ),
);

bothWays(
  "an entry that turns into a link while it is opened is not taken",
  (resolve) =>
    inDirectory((directory) =>
      withWatches(async () => {
        if (isWindows) return;
        const path = `${directory}/cache`;
        const codes: string[] = [];
        const onWarning = ({ code }: CacheError) => codes.push(code);
        const engine = new TextEngine();
        await resolve(new ModuleCache({ engine, directory: path, strict: true }), bytes("hello"));
        const turn = (entry: string) => {
          copyFileSync(entry, `${directory}/elsewhere`);
          rmSync(entry);
          symlinkSync(`${directory}/elsewhere`, entry);
        };
        const cache = new ModuleCache({ engine, directory: path, onWarning });
        const { from } = await beforeOpening(path, turn, () => resolve(cache, bytes("hello")));
        assertEquals([from, codes], ["recompiled", ["CORRUPT"]]);
      })
    ),
);

bothWays(
  "an entry that is replaced while it is opened is taken",
  (resolve) =>
    inDirectory((directory) =>
      withWatches(async () => {
        const engine = new TextEngine();
        await resolve(new ModuleCache({ engine, directory, strict: true }), bytes("hello"));
        const replace = (entry: string) => {
          copyFileSync(entry, `${directory}/copy`);
          renameSync(`${directory}/copy`, entry);
        };
        const cache = new ModuleCache({ engine: hitsOnly(engine), directory, strict: true });
        const { from } = await beforeOpening(directory, replace, () => resolve(cache, bytes("hello")));
        assertStrictEquals(from, "disk");
      })
    ),
);

test("a native engine refuses a link of another on its way", async () => {
  await inDirectory(async (directory) => {
    if (!isRoot) return;
    const path = `${directory}/mine/others/cache`;
    mkdirSync(`${directory}/real`);
    symlinkSync(`${directory}/real`, `${directory}/others`);
    symlinkSync(directory, `${directory}/mine`);
    const engine = new NativeEngine("native");
    await new ModuleCache({ engine, directory: path, strict: true }).resolve(bytes("hello"));
    lchownSync(`${directory}/others`, 12345, 12345);
    await expectUntrusted(path, false);
    await expectUntrusted(path, true);
    const { disk, reason } = new ModuleCache({ engine, directory: path }).status();
    assert(disk === "off" && reason!.includes(`${directory}/others`));
  });
});

test("a native engine makes nothing behind a link of another", async () => {
  await inDirectory(async (directory) => {
    if (!isRoot) return;
    symlinkSync(`${directory}/real`, `${directory}/link`);
    lchownSync(`${directory}/link`, 12345, 12345);
    const options = { engine: new NativeEngine("native"), directory: `${directory}/link/cache`, strict: true };
    for (const names of [["link"], ["link", "real"]]) {
      const error = await assertRejects(() => new ModuleCache(options).resolve(bytes("hello")), CacheError);
      assertStrictEquals(error.code, "UNTRUSTED");
      assertEquals((readdirSync(directory, { recursive: true }) as string[]).sort(), names);
      mkdirSync(`${directory}/real`, { recursive: true });
    }
  });
});

const v8 = v8Engine.available();

test("no process of the V8 engine works in a folder where others can write", { skip: v8.reason }, async () => {
  await inDirectory(async (directory) => {
    for (const folder of ["tmp", "locks"]) {
      mkdirSync(`${directory}/v1/${folder}`, { recursive: true });
      chmodSync(`${directory}/v1/${folder}`, 0o777);
    }
    const order = { id: identity(), grade: "full" as const, code: PROBE };
    await assertRejects(() => makeArtifact(order, `${directory}/v1/tmp`), Error, "777");
    assertThrows(() => startSupervisor([order], `${directory}/v1/tmp`), Error, "777");
    assertEquals(new ModuleCache({ engine: v8Engine(), directory }).status().disk, "off");
    assertEquals(readdirSync(directory, { recursive: true }).sort(), ["v1", "v1/locks", "v1/tmp"]);
  });
});

test("a directory of the superuser that others can read serves them, as an image has it", async () => {
  await inDirectory(async (directory) => {
    if (isWindows) return;
    for (const engine of [new TextEngine(), new NativeEngine("native")]) {
      const path = `${directory}/${engine.id}`;
      await new ModuleCache<TextModule>({ engine, directory: path, strict: true }).resolve(bytes("hello"));
      execFileSync("chmod", ["-R", "a+rX", path]);
      const options = { engine: hitsOnly<TextModule>(engine), directory: path, readOnly: true, strict: true };
      assertStrictEquals((await new ModuleCache(options).resolve(bytes("hello"))).from, "disk");
      const exposed = (readdirSync(path, { recursive: true }) as string[])
        .map((name) => statSync(`${path}/${name}`)).filter(({ mode }) => (mode & 0o044) !== 0o044);
      assertEquals(exposed, []);
    }
  });
});

const deno = Object.entries(runtimes()).find(([name]) => name.startsWith("Deno"))?.[1];
const skip = deno ? false : "needs the test task, which knows the runtimes";

test("a native engine on Deno needs to know its user", { timeout: 30_000, skip }, async () => {
  await inDirectory(async (directory) => {
    if (isWindows) return;
    const granted = [`--allow-read=${directory}`, `--allow-write=${directory}`, "--no-prompt"];
    const seen: string[] = [];
    for (const sys of [[], ["--allow-sys=uid"]]) {
      const command = deno!.flatMap((part) => part === "-A" ? [...granted, ...sys] : [part]);
      const { code, stdout, stderr } = await runScript(command, `${ROOT}/tests/_native.ts`, [directory]);
      assertEquals([code, stderr], [0, ""]);
      seen.push(stdout.trim());
    }
    assertEquals(seen, ["compiled off UNTRUSTED", "compiled read-write"]);
  });
});
