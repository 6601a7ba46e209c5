// The process that makes entries when a program has ended: what it keeps, notes, leaves, and never makes.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { wholeProfile } from "../../src/v8/artifact.ts";
import { Attempt, mark, tellStart } from "../../src/background/attempts.ts";
import { identity } from "../../src/v8/identity.ts";
import { partsOf } from "../../src/background/orders.ts";
import type { Order } from "../../src/v8/order.ts";
import { probeArtifact } from "../../src/v8/proof.ts";
import { addressIn } from "../../src/disk/key.ts";
import { runSync } from "../../src/effect.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import { outlineOf } from "../../src/v8/wasm.ts";
import { inDirectory, realModule, ROOT } from "../_tools.ts";
import { artifactsIn, hasGrade, here, inFull, leftIn, notesIn, onLinux, PADDED, until } from "../_v8_tools.ts";

type Target = NonNullable<Order["target"]>;

/** Where the entry of the padded probe goes, in a directory that a cache has made and that is marked. */
function targetIn(directory: string, maxDiskBytes = 1e8): Target {
  const root = `${directory}/v1`;
  for (const folder of ["locks", "tmp"]) mkdirSync(`${root}/${folder}`, { recursive: true, mode: 0o700 });
  const platform = detectPlatform();
  const { key } = runSync(addressIn(platform, identity(), platform.sha256(PADDED).sync()));
  assert(mark(root));
  // Nobody has started for long.
  const { atime, mtime } = { atime: 1, mtime: Date.now() / 1000 };
  utimesSync(`${root}/locks/v8`, atime, mtime);
  return { key, compileMs: 0, directory, root, options: { maxDiskBytes, maxDiskAgeMs: 1e12, maxMemoryBytes: 1e8 } };
}

/** An order for the padded probe. */
function orderFor(target: Target, more: Partial<Order> = {}): Order {
  return { id: identity(), grade: "full", code: PADDED, profile: wholeProfile(2), target, ...more };
}

/** Starts the process, as a program that ends does. */
function startOn(orders: Order[]) {
  const { root } = orders[0]!.target!;
  const args = [`${ROOT}/src/v8/process_main.ts`, "supervise"];
  const child = spawn(process.execPath, args, {
    cwd: `${root}/tmp`,
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin!.on("error", () => {});
  for (const part of partsOf(orders)) child.stdin!.write(part);
  child.stdin!.end();
  const ended = new Promise<number | string | null>((resolve) =>
    child.on("close", (code, signal) => resolve(signal ?? code))
  );
  return { ended, kill: () => process.kill(-child.pid!, "SIGKILL") };
}

/** Where a lookup finds the padded probe. */
function found(directory: string): string {
  return new ModuleCache({ engine: v8Engine({ artifact: "none" }), directory }).resolveSync(PADDED).from;
}

test("an artifact is made, and nothing left but the entry", here, () =>
  inDirectory(async (directory) => {
    const target = targetIn(directory);
    new Attempt(identity(), target).note();
    assertStrictEquals(await startOn([orderFor(target)]).ended, 0);
    assertEquals([hasGrade(directory, "full"), notesIn(directory), leftIn(directory)], [true, [], []]);
    assertEquals([readdirSync(`${target.root}/locks`).includes("v8"), found(directory)], [false, "disk"]);
  }));

test(
  "a snapshot is kept once another process has loaded it, at once; the rest when no program starts",
  inFull,
  () =>
    inDirectory(async (directory) => {
      const target = targetIn(directory);
      const telling = setInterval(() => tellStart(target.root), 50);
      const { ended } = startOn([orderFor(target, { snapshot: probeArtifact() })]);
      await until(() => hasGrade(directory, "snapshot"));
      assertEquals([found(directory), hasGrade(directory, "full")], ["disk", false]);
      clearInterval(telling);
      assertStrictEquals(await ended, 0);
      assertEquals([hasGrade(directory, "full"), artifactsIn(directory).length], [true, 1]);
    }),
);

test(
  "a snapshot of a program that executed nothing else is all there is to make",
  inFull,
  () =>
    inDirectory(async (directory) => {
      const target = targetIn(directory);
      const order = orderFor(target, { grade: "profile", profile: undefined, snapshot: probeArtifact() });
      assertStrictEquals(await startOn([order]).ended, 0);
      assertEquals([hasGrade(directory, "profile"), notesIn(directory)], [true, []]);
    }),
);

test(
  "what V8 does not take back is not kept, and why not is noted; other orders are not worse for it",
  inFull,
  () =>
    inDirectory(async (directory) => {
      const target = targetIn(directory);
      const damaged = probeArtifact().map((byte, i) => i < 40 ? byte : 0xcc);
      const other = { ...target, key: "00".repeat(32) };
      const orders = [orderFor(target, { snapshot: damaged }), orderFor(other)];
      assertStrictEquals(await startOn(orders).ended, 0);
      assert(new Attempt(identity(), target).hindrance?.includes("verify"));
      assertEquals([new Attempt(identity(), other).hindrance, hasGrade(directory, "full")], [undefined, true]);
    }),
);

test("an artifact for which there is no room is noted", inFull, () =>
  inDirectory(async (directory) => {
    const target = targetIn(directory, 5000);
    // Of each of its functions an artifact has four bytes at least.
    const code = realModule("sqlite");
    const profile = new Uint8Array(outlineOf(code).functions + 1).fill(2, 500, 501);
    assertStrictEquals(await startOn([orderFor(target, { code, profile })]).ended, 0);
    assert(new Attempt(identity(), target).hindrance?.includes("maxDiskBytes"));
    assertEquals([artifactsIn(directory), leftIn(directory)], [[], []]);
  }));

test("one that is killed leaves no file behind for long", onLinux, () =>
  inDirectory(async (directory) => {
    const target = targetIn(directory);
    mkdirSync(`${target.root}/tmp/v8-left/by-one-that-was-killed`, { recursive: true });
    utimesSync(`${target.root}/tmp/v8-left`, 1, 1);
    const telling = setInterval(() => tellStart(target.root), 50);
    const { ended, kill } = startOn([orderFor(target, { snapshot: probeArtifact() })]);
    await until(() => hasGrade(directory, "snapshot"));
    kill();
    assertStrictEquals(await ended, "SIGKILL");
    clearInterval(telling);
    assertEquals(leftIn(directory), []);
  }));

test(
  "a directory that is removed while an artifact is made does not come back",
  onLinux,
  () =>
    inDirectory(async (directory) => {
      const target = targetIn(`${directory}/a/cache`);
      const telling = setInterval(() => tellStart(target.root), 50);
      const { ended } = startOn([orderFor(target, { snapshot: probeArtifact() })]);
      await until(() => hasGrade(directory, "snapshot"));
      // It waits now for programs to have started.
      clearInterval(telling);
      rmSync(`${directory}/a`, { recursive: true });
      assertStrictEquals(await ended, "SIGKILL");
      assertStrictEquals(existsSync(`${directory}/a`), false);
    }),
);
