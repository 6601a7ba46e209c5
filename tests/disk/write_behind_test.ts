// Writes behind lookups: when they come, in which order, and what waits for them.

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { WriteBehind } from "../../src/disk/write_behind.ts";
import { perform } from "../../src/effect.ts";

test("flush waits for all that writes schedule in their turn", async () => {
  const behind = new WriteBehind();
  const done: number[] = [];
  const schedule = (i: number): void =>
    behind.schedule(`write ${i}`, 0, function* () {
      yield* perform({
        name: "later",
        sync: () => {},
        async: () => new Promise<void>((resolve) => setImmediate(resolve)),
      });
      if (i < 5) schedule(i + 1);
      done.push(i);
    });
  schedule(0);
  await behind.flush();
  assertEquals(done, [0, 1, 2, 3, 4, 5]);
});
