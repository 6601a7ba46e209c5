// Which entries must go: by the time of their last use, whatever their number and sizes.

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { Uses } from "../../src/disk/uses.ts";

test("until gives the earliest time that is enough, and the latest if none is", () => {
  const uses = new Uses();
  assertEquals(uses.until(1), undefined);
  for (const [timeMs, size] of [[300, 10], [100, 5], [200, 7], [200, 8]] as const) uses.add(timeMs, size);
  assertEquals(uses.until(1), { timeMs: 100, bytesBefore: 0 });
  assertEquals(uses.until(5), { timeMs: 100, bytesBefore: 0 });
  assertEquals(uses.until(6), { timeMs: 200, bytesBefore: 5 });
  assertEquals(uses.until(20), { timeMs: 200, bytesBefore: 5 });
  assertEquals(uses.until(21), { timeMs: 300, bytesBefore: 20 });
  assertEquals(uses.until(1000), { timeMs: 300, bytesBefore: 20 });
});

test("until gives what sorting gives", () => {
  let seed = 7;
  const random = (below: number) => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0) / 2 ** 32 * below | 0;
  const uses = new Uses();
  const all = Array.from({ length: 5000 }, () => ({ timeMs: 1.7e12 + random(3000), size: random(1e6) }));
  for (const { timeMs, size } of all) uses.add(timeMs, size);
  all.sort((a, b) => a.timeMs - b.timeMs);
  for (let i = 0; i < 50; i++) {
    const bytes = 1 + random(2 ** 31);
    let [sum, at] = [0, 0];
    while (at < all.length - 1 && sum + all[at]!.size < bytes) sum += all[at++]!.size;
    const { timeMs } = all[at]!;
    const bytesBefore = all.reduce((sum, use) => use.timeMs < timeMs ? sum + use.size : sum, 0);
    assertEquals(uses.until(bytes), { timeMs, bytesBefore });
  }
});
