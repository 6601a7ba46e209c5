// The lock by a socket, of Node without flock(2): who holds it, how it ends, and what happens where no socket can be.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { perform, runAsync, runSync } from "../../src/effect.ts";
import { socketLock } from "../../src/platform/socket_lock.ts";
import { inDirectory, ROOT, thisRuntime } from "../_tools.ts";

const isHere = thisRuntime().startsWith("Node") && process.platform === "linux";
const options = { timeout: 60_000, skip: isHere ? false : "tried on Node on Linux" };
const take = (path: string) => runAsync(perform(socketLock(path)));

/** A script that takes a lock, says so, and then does something. */
const holding = (path: string, then: string) => `
  const { socketLock } = await import(${JSON.stringify(`file://${ROOT}/src/platform/socket_lock.ts`)});
  const lock = await socketLock(${JSON.stringify(path)}).async();
  console.log(lock ? "locked" : "held");
  ${then}`;

/** Starts a process with such a script, and waits until it has said so. */
async function startHolder(path: string, then: string) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", holding(path, then)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = await once(child.stdout!, "data");
  assertStrictEquals(`${said}`, "locked\n");
  return child;
}

test("the lock is held by one, until it is given back, also where the path is long", options, async () => {
  await inDirectory(async (directory) => {
    const folder = `${directory}/${"long/".repeat(40)}`;
    mkdirSync(folder, { recursive: true });
    const first = await take(`${folder}lock`);
    assert(first);
    assertStrictEquals(await take(`${folder}lock`), undefined);
    (await take(`${folder}other`))!.release();
    first.release();
    const again = await take(`${folder}lock`);
    assert(again);
    again.release();
    assertEquals(readdirSync(folder), []);
  });
});

test("of many at once, one at most has the lock, and before long one has", options, async () => {
  await inDirectory(async (directory) => {
    let [held, most, taken] = [0, 0, 0];
    const work = async () => {
      while (taken < 40) {
        const lock = await take(`${directory}/lock`);
        if (lock) {
          most = Math.max(most, ++held);
          taken++;
          await pause(1);
          held--;
          lock.release();
        }
        await pause(Math.random() * 5);
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    assertEquals([most, readdirSync(directory)], [1, []]);
  });
});

test("a synchronous run gets none, and touches nothing", options, async () => {
  await inDirectory((directory) => {
    assertStrictEquals(runSync(perform(socketLock(`${directory}/none/lock`))), undefined);
    assertEquals(readdirSync(directory), []);
  });
});

test("a folder that is missing is the caller's to make", options, async () => {
  await inDirectory(async (directory) => {
    const error = await assertRejects(() => take(`${directory}/none/lock`), Error);
    assertStrictEquals((error as NodeJS.ErrnoException).code, "ENOENT");
  });
});

test("a process that is busy keeps its lock, and loses it when it is killed", options, async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/lock`;
    for (let round = 0; round < 3; round++) {
      const holder = await startHolder(path, "while (true);");
      for (let i = 0; i < 20; i++) assertStrictEquals(await take(path), undefined);
      holder.kill("SIGKILL");
      await once(holder, "exit");
      assertStrictEquals(readdirSync(directory).length, 1);
    }
    (await take(path))!.release();
    assertEquals(readdirSync(directory), []);
  });
});

test("a lock keeps no process alive", options, async () => {
  await inDirectory(async (directory) => {
    const holder = await startHolder(`${directory}/lock`, "");
    assertEquals(await once(holder, "exit"), [0, null]);
    (await take(`${directory}/lock`))!.release();
  });
});

test("a worker that is terminated leaves no lock", options, async () => {
  await inDirectory(async (directory) => {
    const path = `${directory}/lock`;
    const source = new URL(`data:text/javascript,${
      encodeURIComponent(
        `import { parentPort } from "node:worker_threads";
       const console = { log: (text) => parentPort.postMessage(text) };
       ${holding(path, "setInterval(() => {}, 1000);")}`,
      )
    }`);
    const worker = new Worker(source);
    assertEquals(await once(worker, "message"), ["locked"]);
    assertStrictEquals(await take(path), undefined);
    await worker.terminate();
    (await take(path))!.release();
  });
});

test("where no socket can be, the lock locks nothing", options, async () => {
  await inDirectory(async (directory) => {
    // There is no room for a name; to root, that is more certain than missing permissions.
    const path = `${directory}/${"x".repeat(250)}`;
    for (let i = 0; i < 2; i++) (await take(path))!.release();
    assertEquals(readdirSync(directory), []);
  });
});

test("no link is followed to the folder", options, async () => {
  await inDirectory(async (directory) => {
    mkdirSync(`${directory}/real`);
    symlinkSync(`${directory}/real`, `${directory}/link`);
    await assertRejects(() => take(`${directory}/link/lock`), Error, "ENOTDIR");
    assertEquals(readdirSync(`${directory}/real`), []);
  });
});

test("a link that stands for a lock leads to nothing being written", options, async () => {
  await inDirectory(async (directory) => {
    writeFileSync(`${directory}/kept`, "kept");
    symlinkSync(`${directory}/kept`, `${directory}/lock-a`);
    (await take(`${directory}/lock`))!.release();
    assertEquals([readdirSync(directory), readFileSync(`${directory}/kept`, "utf8")], [["kept"], "kept"]);
  });
});
