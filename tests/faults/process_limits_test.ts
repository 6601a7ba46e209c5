// What the system allows a process: the length of a file, the number of descriptors.

import { assertEquals } from "@std/assert";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { entriesIn, inDirectory, thisRuntime } from "../_tools.ts";
import type { Job } from "./_child.ts";
import { hasShell, limited, look, skipUnless } from "./_surroundings.ts";

const isDeno = thisRuntime().startsWith("Deno");

test(
  "a limit on the length of files costs the entries beyond it",
  skipUnless(hasShell && !isDeno, "needs Linux and the test task; Deno does not outlive SIGXFSZ, whoever writes"),
  () =>
    inDirectory(async (directory) => {
      for (const isSync of [false, true]) {
        const path = `${directory}/${isSync}`;
        const job: Job = { directory: path, engine: "artifact", names: ["a", "large b", "c", "large d"], isSync };
        // Blocks of 512 bytes.
        const report = await look(limited("-f 8"), { ...job, largeBytes: 100_000 });
        assertEquals(report, {
          from: ["compiled", "compiled", "compiled", "compiled"],
          wrong: [],
          warnings: ["IO EFBIG"],
          disk: "read-write",
        });
        assertEquals([entriesIn(path).length, readdirSync(`${path}/v1/tmp`)], [2, []]);
        assertEquals((await look([], job)).from, ["disk", "compiled", "disk", "compiled"]);
      }
    }),
);

for (const engine of ["artifact", "host"] as const) {
  test(
    `a burst of lookups needs few descriptors, ${engine} engine`,
    skipUnless(hasShell, "needs Linux and the test task"),
    () =>
      inDirectory(async (directory) => {
        const names = Array.from({ length: 300 }, (_, i) => `name ${i}`);
        const job: Job = { directory, engine, names, isBurst: true };
        const { from, wrong, warnings } = await look(limited("-n 100"), job);
        assertEquals([new Set(from), wrong, warnings], [new Set(["compiled"]), [], []]);
        assertEquals([entriesIn(directory).length, readdirSync(`${directory}/v1/tmp`)], [300, []]);
      }),
  );
}
