// The format of entries, without files.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import {
  decodeHeader,
  encodeHeader,
  endBytes,
  FORMAT_VERSION,
  type Header,
  HEADER_BYTES,
} from "../../src/disk/entry.ts";

const digest = (byte: number, length = 32) => new Uint8Array(length).fill(byte);
const header: Header = {
  codeDigest: digest(1),
  engineDigest: digest(2),
  idLength: 0,
  compileMs: 1.5,
  isSigned: false,
  payloadLength: 5,
  payloadSha256: digest(3),
  payloadXxh3: digest(4, 16),
};

function encoded(of: Header = header): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(encodeHeader(of));
  return bytes;
}

test("a header comes back as it was encoded, with and without XXH3", () => {
  assertEquals(decodeHeader(encoded(), HEADER_BYTES + 5), header);
  const { payloadXxh3: _, ...without } = header;
  assertEquals(decodeHeader(encoded(without), HEADER_BYTES + 5), without);
});

test("a compile time that is no time counts as unknown", () => {
  for (const compileMs of [Infinity, -Infinity, NaN, -1]) {
    const decoded = decodeHeader(encoded({ ...header, compileMs }), HEADER_BYTES + 5);
    assertEquals(decoded, { ...header, compileMs: 0 });
  }
});

test("the layout is the one documented", () => {
  const bytes = encoded();
  const view = new DataView(bytes.buffer);
  assertStrictEquals(new TextDecoder().decode(bytes.subarray(0, 8)), "WASM-MC\n");
  assertStrictEquals(view.getUint32(8, true), FORMAT_VERSION);
  assertStrictEquals(view.getUint32(12, true), 1);
  assertStrictEquals(view.getBigUint64(16, true), 5n);
  assertEquals([bytes[24], bytes[56], bytes[88], bytes[120], bytes[144]], [1, 2, 3, 4, 0]);
  assertEquals([view.getUint32(136, true), view.getFloat32(140, true)], [0, 1.5]);
});

test("decodeHeader refuses every flip of magic, version, flags and length", () => {
  for (let bit = 0; bit < 24 * 8; bit++) {
    const bytes = encoded();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    const decoded = decodeHeader(bytes, HEADER_BYTES + 5);
    // The one flag there is may be cleared: the seal catches that.
    if (bit === 12 * 8) assert(typeof decoded !== "string");
    else assertStrictEquals(typeof decoded, "string", `bit ${bit}`);
  }
});

test("an id and a MAC are between payload and header", () => {
  for (const isSigned of [false, true]) {
    const decoded = decodeHeader(encoded({ ...header, idLength: 7, isSigned }), endBytes(7, isSigned) + 5);
    assert(typeof decoded !== "string");
    assertEquals([decoded.payloadLength, decoded.idLength], [5, 7]);
  }
});

test("decodeHeader refuses a file of another length", () => {
  for (const size of [0, HEADER_BYTES, HEADER_BYTES + 4, HEADER_BYTES + 6]) {
    assertStrictEquals(typeof decodeHeader(encoded(), size), "string", `size ${size}`);
  }
});

test("decodeHeader refuses every truncated header", () => {
  for (let length = 0; length < HEADER_BYTES; length++) {
    assertStrictEquals(typeof decodeHeader(encoded().slice(0, length), length), "string", `length ${length}`);
  }
});
