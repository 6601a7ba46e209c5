// Recognising code: exact, bounded, whatever the samples.

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

/** Codes that only a byte apart tells from each other, one that no sample looks at. */
function crafted(count: number): Uint8Array[] {
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

test("find compares nothing where length or sample differ", () => {
  const { index, compares } = counting();
  index.add(new Uint8Array(1000), "zeroes");
  assertStrictEquals(index.find(new Uint8Array(1001)), undefined);
  assertStrictEquals(index.find(new Uint8Array(1000).fill(1)), undefined);
  assertStrictEquals(compares(), 0);
});

test("crafted samples cost a bounded number of compares", () => {
  const { index, compares } = counting();
  const codes = crafted(200);
  for (const code of codes) index.add(code, "crafted");
  // Crowded out by the later ones: SHA-256 has to find it.
  assertStrictEquals(index.find(codes[9]!), undefined);
  assertStrictEquals(compares(), 8);
});

test("a code that was crowded out is known to be possible until it is deleted itself", () => {
  const { index } = counting();
  const codes = crafted(12);
  for (const code of codes) index.add(code, "crafted");
  // The youngest eight are those that are compared; without them the others come to light again.
  for (const code of codes.slice(5)) index.delete(code);
  assertStrictEquals(index.find(codes[0]!) ?? index.isCrowded(codes[0]!), "crafted");
  for (const code of codes) index.delete(code);
  assertStrictEquals(index.isCrowded(codes[0]!), false);
});

test("delete takes out one code and leaves those of the same sample", () => {
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
