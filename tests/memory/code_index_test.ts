// Recognising code: exact, by one compare.

import { assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { CodeIndex } from "../../src/memory/code_index.ts";
import { webPlatform } from "../../src/platform/web.ts";

function counting(): { index: CodeIndex<string>; compares: () => number } {
  let compares = 0;
  const index = new CodeIndex<string>((a, b) => {
    compares++;
    return webPlatform.equal(a, b);
  });
  return { index, compares: () => compares };
}

/** Codes that a byte tells from each other. */
function crafted(count: number): Uint8Array<ArrayBuffer>[] {
  return Array.from({ length: count }, (_, i) => {
    const code = new Uint8Array(100_000);
    code[3] = i;
    return code;
  });
}

test("find gives the value of exactly this code", () => {
  const { index } = counting();
  const [a, b, c] = crafted(3);
  index.add(a!, "a");
  index.add(b!, "b");
  assertStrictEquals(index.find(a!.slice()), "a");
  assertStrictEquals(index.find(b!.slice()), "b");
  assertStrictEquals(index.find(c!), undefined);
});

test("find compares once, however many codes are alike", () => {
  const { index, compares } = counting();
  const alike = crafted(200);
  // Each differs from all others at a place of its own.
  const apart = Array.from({ length: 200 }, (_, i) => new Uint8Array(5000).with(i * 7, 1));
  for (const code of [...alike, ...apart]) index.add(code, `${code.length} ${code[3]} ${code.indexOf(1)}`);
  const before = compares();
  for (const code of [...alike, ...apart]) {
    assertStrictEquals(index.find(code.slice()), `${code.length} ${code[3]} ${code.indexOf(1)}`);
  }
  assertStrictEquals(compares() - before, 400);
  assertStrictEquals(index.find(new Uint8Array(4999)), undefined);
  assertStrictEquals(compares() - before, 400);
});

test("whatever is added and deleted, find gives what is there", () => {
  let seed = 1;
  const random = (below: number) => (seed = Math.imul(seed, 1103515245) + 12345 >>> 0) / 2 ** 32 * below | 0;
  for (const [maxLength, letters] of [[4, 2], [9, 3], [40, 2]] as const) {
    const { index } = counting();
    const there = new Map<string, { code: Uint8Array; value: string }>();
    for (let i = 0; i < 5000; i++) {
      const code = Uint8Array.from({ length: random(maxLength) }, () => random(letters) * 255);
      const name = code.join();
      const found = there.get(name);
      assertStrictEquals(index.find(code), found?.value, name);
      if (found) index.delete(found.code);
      else index.add(code, name);
      if (!there.delete(name)) there.set(name, { code, value: name });
    }
    assertStrictEquals(there.size > 3, true);
    for (const { code, value } of there.values()) assertStrictEquals(index.find(code.slice()), value);
    for (const { code } of there.values()) index.delete(code);
    for (const { code } of there.values()) assertStrictEquals(index.find(code), undefined);
  }
});

test("code whose bytes were transferred away hides no other, and can be deleted", () => {
  const { index } = counting();
  const [a, b, c] = crafted(3);
  for (const code of [a!, b!]) index.add(code, `${code[3]}`);
  for (const gone of [a!, b!]) {
    const same = gone.slice();
    gone.buffer.transfer(0);
    assertStrictEquals(index.find(same), undefined);
    index.add(same, "again");
    assertStrictEquals(index.find(same), "again");
    index.delete(gone);
    assertStrictEquals(index.find(same), "again");
  }
  index.add(c!, "c");
  assertStrictEquals(index.find(c!), "c");
});

test("delete takes out one code and leaves those that are like it", () => {
  const { index } = counting();
  const [a, b] = crafted(2);
  index.add(a!, "a");
  index.add(b!, "b");
  index.delete(a!);
  assertStrictEquals(index.find(a!), undefined);
  assertStrictEquals(index.find(b!), "b");
});

test("codes of no and of one byte are found", () => {
  const { index } = counting();
  index.add(new Uint8Array(0), "none");
  index.add(Uint8Array.of(7), "one");
  assertStrictEquals(index.find(new Uint8Array(0)), "none");
  assertStrictEquals(index.find(Uint8Array.of(7)), "one");
  assertStrictEquals(index.find(Uint8Array.of(8)), undefined);
});

test("equal compares exactly, whatever the alignment and length", () => {
  const size = 3 * 1024 * 1024 + 3;
  const base = new Uint8Array(size + 8);
  for (let i = 0; i < base.length; i++) base[i] = i * 31;
  for (const length of [0, 1, 3, 4, 5, 1000, size]) {
    for (const offset of [0, 1, 4]) {
      const a = base.subarray(offset, offset + length);
      const b = a.slice();
      assertStrictEquals(webPlatform.equal(a, b), true, `length ${length}, offset ${offset}`);
      for (const at of new Set([0, length >> 1, length - 1])) {
        if (at < 0 || at >= length) continue;
        b[at]! ^= 1;
        assertStrictEquals(webPlatform.equal(a, b), false, `length ${length}, offset ${offset}, byte ${at}`);
        b[at]! ^= 1;
      }
    }
  }
  assertStrictEquals(webPlatform.equal(base, base.subarray(1)), false);
});
