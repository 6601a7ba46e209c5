// What every platform with files must do. Its adapters call this with a platform and a directory of their own.

import { assert, assertEquals, assertNotEquals, assertStrictEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { type Effect, type Operation, perform, runAsync, runSync } from "../../src/effect.ts";
import { systemCode } from "../../src/errors.ts";
import type { Files, Platform } from "../../src/platform/platform.ts";
import { bytes, text } from "../_tools.ts";

/** How a subject of the contract is made. */
export interface Subject {
  /** The platform. */
  readonly platform: Platform;
  /** A directory that exists, is empty, and is for this test alone. */
  readonly directory: string;
}

type Take = <T>(effect: Effect<T>) => Promise<T>;

/** Nothing is done with the file. */
function* nothing(): Operation<void> {}

/** Registers the contract's tests for a platform. */
export function platformContract(
  name: string,
  withSubject: (body: (subject: Subject) => Promise<void>) => Promise<void>,
): void {
  const runs: [string, Take][] = [
    ["async", (effect) => runAsync(perform(effect))],
    // deno-lint-ignore require-await -- a step that throws must reject here
    ["sync", async (effect) => runSync(perform(effect))],
  ];
  for (const [kind, take] of runs) {
    const check = (what: string, body: (files: Files, directory: string, platform: Platform) => Promise<void>) =>
      test(`${name} platform ${what}, ${kind}`, () =>
        withSubject(({ platform, directory }) => body(platform.files!, directory, platform)));
    const readAll = async (files: Files, path: string) => {
      const parts = await take(files.withFile(path, function* ({ read, size }) {
        return [yield* read(0, 4), yield* read(4, Math.max(0, size - 4))];
      }));
      return parts.map(text).join("");
    };
    const codeOf = async (effect: Effect<unknown>) => {
      try {
        await take(effect);
      } catch (error) {
        return systemCode(error);
      }
      return "no error";
    };

    check("reads what it created, part by part", async (files, directory) => {
      await take(files.create(`${directory}/a`, [bytes("head"), bytes(""), bytes("and the rest")]));
      assertStrictEquals(await readAll(files, `${directory}/a`), "headand the rest");
    });

    check("reads from anywhere, in any order", async (files, directory) => {
      await take(files.create(`${directory}/a`, [bytes("0123456789")]));
      const parts = await take(files.withFile(`${directory}/a`, function* ({ read, size }) {
        return [
          size,
          text(yield* read(6, 4)),
          text(yield* read(0, 3)),
          text(yield* read(3, 0)),
          text(yield* read(2, 2)),
        ];
      }));
      assertEquals(parts, [10, "6789", "012", "", "23"]);
    });

    check("gives less where the file ends", async (files, directory) => {
      await take(files.create(`${directory}/a`, [bytes("012345")]));
      const parts = await take(files.withFile(`${directory}/a`, function* ({ read }) {
        return [text(yield* read(4, 100)), text(yield* read(6, 1)), text(yield* read(100, 1))];
      }));
      assertEquals(parts, ["45", "", ""]);
    });

    check("moves megabytes", async (files, directory) => {
      const large = new Uint8Array(5_000_001).map((_, i) => i * 7);
      await take(files.create(`${directory}/a`, [large]));
      const body = await take(files.withFile(`${directory}/a`, ({ read, size }) => read(1, size - 1)));
      assert(body.length === large.length - 1 && body.every((byte, i) => byte === large[i + 1]));
    });

    check("leads to the open file, whatever happens to its name", async (files, directory) => {
      await take(files.create(`${directory}/a`, [bytes("old")]));
      await take(files.create(`${directory}/b`, [bytes("new")]));
      const found = await take(files.withFile(`${directory}/a`, (file) =>
        file.at(function* (path) {
          yield* perform(files.rename(`${directory}/b`, `${directory}/a`));
          return path === undefined ? undefined : text(yield* perform(files.readWhole(path)));
        })));
      const isLinux = existsSync("/proc/self/fd") && name !== "memory";
      assertStrictEquals(found, isLinux ? "old" : undefined);
      assertStrictEquals(await readAll(files, `${directory}/a`), "new");
    });

    check("creates no file twice", async (files, directory) => {
      await take(files.create(`${directory}/a`, [bytes("first")]));
      assertStrictEquals(await codeOf(files.create(`${directory}/a`, [bytes("second")])), "EEXIST");
      assertStrictEquals(await readAll(files, `${directory}/a`), "first");
    });

    check("lists files with size and time, and sets that", async (files, directory) => {
      await take(files.makeDirectory(`${directory}/folder`));
      await take(files.create(`${directory}/a`, [bytes("1234")]));
      await take(files.touch(`${directory}/a`, 1_600_000_000_000));
      await take(files.create(`${directory}/other`, []));
      const [file, ...others] = await take(files.listFiles(directory, /^(a|folder)$/));
      const { changedMs } = file!;
      assertEquals([file, others], [{ name: "a", size: 4, modifiedMs: 1_600_000_000_000, changedMs }, []]);
      assert(changedMs >= file!.modifiedMs);
      // deno-lint-ignore require-yield -- there is nothing to wait for
      const modifiedMs = await take(files.withFile(`${directory}/a`, function* (file) {
        return file.modifiedMs;
      }));
      assertStrictEquals(modifiedMs, 1_600_000_000_000);
      assertStrictEquals(await codeOf(files.touch(`${directory}/none`, 0)), "ENOENT");
      assertStrictEquals(await codeOf(files.listFiles(`${directory}/none`, /./)), "ENOENT");
      assertStrictEquals(await codeOf(files.listFiles(`${directory}/a`, /./)), "ENOTDIR");
    });

    check("removes directories that are empty, and no others", async (files, directory) => {
      await take(files.makeDirectory(`${directory}/a/b`));
      assertNotEquals(await codeOf(files.removeDirectory(`${directory}/a`)), "no error");
      await take(files.removeDirectory(`${directory}/a/b`));
      assertEquals(await take(files.list(`${directory}/a`)), []);
    });

    check("finds a directory of its own exposed to nobody", async (files, directory) => {
      await take(files.makeDirectory(`${directory}/a`));
      await take(files.create(`${directory}/a/b`, []));
      assertEquals([
        await take(files.exposure(`${directory}/a`)),
        await take(files.exposure(`${directory}/a/b`)),
      ], [
        undefined,
        undefined,
      ]);
      assertStrictEquals(await codeOf(files.exposure(`${directory}/none`)), "ENOENT");
    });

    check("makes the HMAC-SHA-256 of RFC 4231", async (_files, _directory, platform) => {
      const hex = async (key: Uint8Array<ArrayBuffer>, data: string) =>
        [...await take(platform.hmacSha256(key, bytes(data)))].map((byte) => byte.toString(16).padStart(2, "0")).join(
          "",
        );
      const first = await hex(new Uint8Array(20).fill(0x0b), "Hi There");
      assertStrictEquals(first, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
      const second = await hex(bytes("Jefe"), "what do ya want for nothing?");
      assertStrictEquals(second, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
      const large = await hex(
        new Uint8Array(131).fill(0xaa),
        "Test Using Larger Than Block-Size Key - Hash Key First",
      );
      assertStrictEquals(large, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    });

    check("renames over another file", async (files, directory) => {
      await take(files.create(`${directory}/a`, [bytes("newer")]));
      await take(files.create(`${directory}/b`, [bytes("older")]));
      await take(files.rename(`${directory}/a`, `${directory}/b`));
      assertStrictEquals(await readAll(files, `${directory}/b`), "newer");
      assertEquals(await take(files.list(directory)), ["b"]);
    });

    check("names its errors", async (files, directory) => {
      await take(files.create(`${directory}/file`, []));
      const missing = `${directory}/none/at/all`;
      assertStrictEquals(await codeOf(files.withFile(missing, nothing)), "ENOENT");
      assertStrictEquals(await codeOf(files.create(missing, [])), "ENOENT");
      assertStrictEquals(await codeOf(files.rename(`${directory}/none`, `${directory}/x`)), "ENOENT");
      assertStrictEquals(await codeOf(files.remove(missing)), "ENOENT");
      assertStrictEquals(await codeOf(files.list(missing)), "ENOENT");
      assertStrictEquals(await codeOf(files.withFile(directory, nothing)), "EISDIR");
      assertStrictEquals(await codeOf(files.list(`${directory}/file`)), "ENOTDIR");
      assertStrictEquals(await codeOf(files.makeDirectory(`${directory}/file/below`)), "ENOTDIR");
    });

    check("makes directories with those above, and again", async (files, directory) => {
      await take(files.makeDirectory(`${directory}/a/b/c`));
      await take(files.makeDirectory(`${directory}/a/b/c`));
      await take(files.create(`${directory}/a/b/c/d`, []));
      assertEquals(await take(files.list(`${directory}/a/b/c`)), ["d"]);
      await take(files.remove(`${directory}/a/b/c/d`));
      assertEquals(await take(files.list(`${directory}/a/b/c`)), []);
    });

    check("locks a file once, until it is released", async (files, directory) => {
      if (!files.tryLock) return;
      const first = await take(files.tryLock(`${directory}/lock`));
      assert(first !== undefined);
      assertStrictEquals(await take(files.tryLock(`${directory}/lock`)), undefined);
      const other = await take(files.tryLock(`${directory}/other`));
      assert(other !== undefined);
      other.release();
      first.release();
      const again = await take(files.tryLock(`${directory}/lock`));
      assert(again !== undefined);
      again.release();
    });

    check("makes the SHA-256 of the standard's examples", async (_files, _directory, platform) => {
      const hex = async (data: Uint8Array<ArrayBuffer>) =>
        [...await take(platform.sha256(data))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      assertStrictEquals(await hex(bytes("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
      assertStrictEquals(await hex(bytes("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
      const large = await hex(new Uint8Array(1_000_000).fill(97));
      assertStrictEquals(large, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    });

    check("pauses only where it may wait", async (_files, _directory, platform) => {
      const before = platform.clock();
      assertStrictEquals(await take(platform.pause(5)), kind === "async");
      assert(platform.clock() >= before);
    });
  }

  test(`${name} platform gives names that do not repeat`, () =>
    withSubject(async ({ platform }) => {
      assertNotEquals(platform.files!.temporaryName(), platform.files!.temporaryName());
      await Promise.resolve();
    }));

  test(`${name} platform takes paths and file URLs`, () =>
    withSubject(async ({ platform, directory }) => {
      const path = `${directory}/with space/ü%41`;
      assertStrictEquals(platform.files!.resolve(path), path);
      assertStrictEquals(platform.files!.resolve(pathToFileURL(path)), path);
      await Promise.resolve();
    }));
}
