// The cache's directory: how it and what is in it come to be, and why something may not be done there.

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { Directory, type DirectoryOptions } from "../../src/disk/directory.ts";
import { type Effect, immediate, type Operation, runAsync, runSync } from "../../src/effect.ts";
import { CacheError, systemCode } from "../../src/errors.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import type { Files } from "../../src/platform/platform.ts";
import { bytes, inDirectory } from "../_tools.ts";

const { files } = detectPlatform() as { files: Files };

function failing<T>(code: string): Effect<T> {
  return immediate("fail", () => {
    throw Object.assign(new Error("injected"), { code });
  });
}

function open(path: string, options: Partial<DirectoryOptions> = {}, change: Partial<Files> = {}): Directory {
  return new Directory(Object.assign(Object.create(files), change), { path, readOnly: false, ...options });
}

type Run = <T>(operation: Operation<T>) => Promise<T>;

/** Runs a body with both kinds of run, each in a directory of its own. */
function bothRuns(name: string, body: (path: string, run: Run) => Promise<void>, skip: string | false = false): void {
  test(`${name}, async`, { skip }, () => inDirectory((path) => body(path, (operation) => runAsync(operation))));
  // deno-lint-ignore require-await -- what throws at once must reject here
  test(`${name}, sync`, { skip }, () => inDirectory((path) => body(path, async (operation) => runSync(operation))));
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return systemCode(await promise.then(() => undefined, (error) => error));
}

bothRuns("a step in a directory that is missing makes it, and is taken again", async (path, run) => {
  const directory = open(`${path}/a/b`);
  let steps = 0;
  await run(directory.within(() => (steps++, files.create(`${directory.root}/x`, []))));
  assertEquals(readdirSync(directory.path).sort(), ["CACHEDIR.TAG", "v1"]);
  assertEquals([readdirSync(directory.root).sort(), steps], [["locks", "tmp", "x"], 2]);
  await run(directory.within(() => (steps++, files.create(`${directory.root}/y`, []))));
  assertStrictEquals(steps, 3);
});

bothRuns("a step that fails otherwise makes nothing", async (path, run) => {
  const directory = open(`${path}/a`);
  assertStrictEquals(await codeOf(run(directory.within(() => failing("EIO")))), "EIO");
  assertStrictEquals(existsSync(directory.path), false);
});

bothRuns("a directory that must exist is never made", async (path, run) => {
  const directory = open(`${path}/a`, { mustExist: true });
  const step = () => files.create(`${directory.root}/x`, []);
  assertStrictEquals(await codeOf(run(directory.within(step))), "ENOENT");
  assertStrictEquals(await run(directory.prepare()), undefined);
  assertStrictEquals(existsSync(directory.path), false);
});

bothRuns(
  "paths in a directory of machine code are made after links were followed",
  async (path, run) => {
    mkdirSync(`${path}/real`, { mode: 0o700 });
    symlinkSync(`${path}/real`, `${path}/link`);
    const directory = open(`${path}/link`, { isNative: true });
    const roots: string[] = [];
    await run(directory.within(() => (roots.push(directory.root), files.list(directory.path))));
    const { path: real } = await run(locate(`${path}/real`));
    assertEquals([roots, directory.path], [[`${real}/v1`], real]);
  },
  process.platform === "win32" && "links need rights there",
);

function* locate(path: string): Operation<{ path: string }> {
  return (yield files.locate(path)) as { path: string };
}

bothRuns(
  "a directory is prepared with one call where nothing is missing, and says why it cannot be",
  async (path, run) => {
    const calls: string[] = [];
    const counted = (name: "identify" | "makeDirectory" | "create") => ({
      [name]: (...given: unknown[]) => (calls.push(name), (files[name] as (...given: unknown[]) => unknown)(...given)),
    });
    const directory = open(`${path}/a`, {}, {
      ...counted("identify"),
      ...counted("makeDirectory"),
      ...counted("create"),
    });
    assertStrictEquals(await run(directory.prepare()), undefined);
    assertEquals(calls, ["identify", "makeDirectory", "create", "makeDirectory", "makeDirectory"]);
    calls.length = 0;
    assertStrictEquals(await run(directory.prepare()), undefined);
    assertEquals(calls, ["identify"]);
    writeFileSync(`${path}/file`, "");
    const fault = await run(open(`${path}/file`).prepare());
    assertEquals([fault?.code, fault?.path], ["IO", `${path}/file`]);
  },
);

bothRuns("the tag of a directory says what it is, and one that is there stays", async (path, run) => {
  await run(open(`${path}/a`).makeFolders());
  const tag = readFileSync(`${path}/a/CACHEDIR.TAG`, "utf8");
  assertStrictEquals(tag.split("\n")[0], "Signature: 8a477f597d28d172789f06886806bc55");
  mkdirSync(`${path}/b`);
  writeFileSync(`${path}/b/CACHEDIR.TAG`, "mine");
  await run(open(`${path}/b`).makeFolders());
  assertStrictEquals(readFileSync(`${path}/b/CACHEDIR.TAG`, "utf8"), "mine");
});

bothRuns("half a tag is removed, so that the next who comes makes a whole one", async (path, run) => {
  const create: Files["create"] = (path, parts) => {
    if (!path.endsWith("TAG")) return files.create(path, parts);
    writeFileSync(path, "Sign");
    return failing("ENOSPC");
  };
  assertStrictEquals(await codeOf(run(open(`${path}/a`, {}, { create }).makeFolders())), "ENOSPC");
  assertEquals(readdirSync(`${path}/a`), ["v1"]);
});

bothRuns("a file is replaced in one step, in folders that are made where they are missing", async (path, run) => {
  let renames = 0;
  const directory = open(path, {}, { rename: (from, to) => (renames++, files.rename(from, to)) });
  await run(directory.makeFolders());
  const target = `${directory.root}/engine/00/file`;
  for (const content of ["first", "second"]) {
    await run(directory.replace(target, [bytes(content), bytes("!")]));
    assertStrictEquals(readFileSync(target, "utf8"), `${content}!`);
  }
  assertEquals([renames, readdirSync(directory.temporary)], [3, []]);
});

bothRuns("a file is not replaced where the directory is gone, and does not bring it back", async (path, run) => {
  const directory = open(`${path}/a`);
  assertStrictEquals(await codeOf(run(directory.replace(`${directory.root}/engine/00/file`, []))), "ENOENT");
  assertEquals(readdirSync(path), []);
});

bothRuns("an empty folder in a file's place goes, and one with something in it stays", async (path, run) => {
  const directory = open(path);
  await run(directory.makeFolders());
  const target = `${directory.root}/file`;
  mkdirSync(target);
  await run(directory.replace(target, [bytes("new")]));
  assertStrictEquals(readFileSync(target, "utf8"), "new");
  mkdirSync(`${directory.root}/folder/mine`, { recursive: true });
  assertStrictEquals(await codeOf(run(directory.replace(`${directory.root}/folder`, []))), "ENOTEMPTY");
  assertEquals([readdirSync(`${directory.root}/folder`), readdirSync(directory.temporary)], [["mine"], []]);
});

bothRuns("a file whose folder goes again and again is given up, and nothing left behind", async (path, run) => {
  let renames = 0;
  const rename: Files["rename"] = () => (renames++, failing("ENOENT"));
  const directory = open(path, {}, { rename });
  await run(directory.makeFolders());
  assertStrictEquals(await codeOf(run(directory.replace(`${directory.root}/engine/00/file`, []))), "ENOENT");
  assertEquals([renames, readdirSync(directory.temporary)], [6, []]);
  const stuck = open(path, {}, { rename: () => failing("EIO"), remove: () => failing("EBUSY") });
  assertStrictEquals(await codeOf(run(stuck.replace(`${directory.root}/file`, []))), "EIO");
});

bothRuns("status tells what can be done, by trying it, and leaves no trace of that", async (path, run) => {
  assertEquals(await run(open(`${path}/a`).status(false)), { disk: "read-write" });
  assertEquals(readdirSync(`${path}/a/v1/tmp`), []);
  const readOnly = await run(open(`${path}/a`, { readOnly: true }).status(false));
  assertEquals(readOnly, { disk: "read-only", reason: "the option readOnly is set" });
  const full = await run(open(`${path}/a`, {}, { create: () => failing("ENOSPC") }).status(false));
  assertEquals([full.disk, full.reason?.includes("ENOSPC")], ["read-only", true]);
  const locked = await run(
    open(`${path}/a`, { readOnly: true }, { list: () => failing("EACCES") }).status(false),
  );
  assertEquals([locked.disk, locked.reason?.includes("EACCES")], ["off", true]);
  const gone = await run(
    open(`${path}/a`, {}, { list: () => failing("EIO"), create: () => failing("EROFS") }).status(false),
  );
  assertEquals([gone.disk, gone.reason?.includes("EROFS")], ["off", true]);
});

bothRuns("what the program may not do is known without touching the disk", async (path, run) => {
  const access = (read: boolean, write: boolean) =>
    open(`${path}/a`, {}, { mayAccess: (_path, act) => ({ read, write })[act] });
  assertEquals([access(true, true).mustNotRead, access(true, true).mustNotWrite], [undefined, undefined]);
  assertStrictEquals(access(false, true).mustNotRead?.fault?.code, "IO");
  assertStrictEquals(access(true, false).mustNotWrite?.fault?.code, "IO");
  assertStrictEquals(open(`${path}/a`, { readOnly: true }).mustNotWrite?.fault, undefined);
  assertStrictEquals((await run(access(false, false).status(false))).disk, "off");
  assertStrictEquals(existsSync(`${path}/a`), false);
  await assertRejects(() => run(access(true, true).replace(`${path}/a/v1/x`, [])), Error);
});

bothRuns(
  "a place of machine code that cannot be looked at is not trusted, and one that is missing is nobody's",
  async (path, run) => {
    for (const call of ["locate", "exposure"] as const) {
      const directory = open(`${path}/a`, { isNative: true }, { [call]: () => failing("EACCES") });
      const refusal = await run(directory.mustNotTrust("engine/00/x"));
      assertEquals([refusal?.fault?.code, systemCode(refusal?.fault?.cause)], ["UNTRUSTED", "EACCES"], call);
    }
    const missing = open(`${path}/a`, { isNative: true }, { exposure: () => failing("ENOENT") });
    assertStrictEquals(await run(missing.mustNotTrust("engine/00/x")), undefined);
  },
);

bothRuns("status says off where what was just made is not to be trusted with machine code", async (path, run) => {
  const calls: Partial<Files> = {
    locate: (path) => immediate("locate", () => ({ path })),
    exposure: (path) => existsSync(path) ? immediate("stat", () => "others can write it") : failing("ENOENT"),
  };
  const { disk, reason } = await run(open(`${path}/a`, { isNative: true }, calls).status(true));
  assertEquals([disk, reason?.includes("others can write it")], ["off", true]);
});

bothRuns("machine code is written where nobody else can, and looked for only there", async (path, run) => {
  const exposed = (where: RegExp): Partial<Files> => ({
    exposure: (path) => immediate("stat", () => where.test(path) ? "others can write it" : undefined),
    locate: (path) => immediate("locate", () => ({ path })),
  });
  for (const where of [/\/a$/, /\/v1$/, /\/tmp$/, /\/locks$/]) {
    const directory = open(`${path}/a`, { isNative: true }, exposed(where));
    const error = await run(directory.secure()).catch((error) => error);
    assertEquals([error instanceof CacheError, error.code], [true, "UNTRUSTED"], String(where));
    assertStrictEquals((await run(directory.mustNotTrust("engine/00/x")))?.fault?.code, "UNTRUSTED");
    // Other engines' directories may be anybody's.
    const other = open(`${path}/a`, {}, exposed(where));
    await run(other.secure());
    assertEquals([(await run(other.status(true))).disk, (await run(other.status(false))).disk], ["off", "read-write"]);
  }
  for (const [where, entry] of [[/\/engine$/, "engine/00/x"], [/\/00$/, "engine/00/x"]] as const) {
    const directory = open(`${path}/a`, { isNative: true }, exposed(where));
    assertStrictEquals(await run(directory.mustNotTrust()), undefined);
    assertStrictEquals((await run(directory.mustNotTrust(entry)))?.fault?.code, "UNTRUSTED", String(where));
  }
});
