// What counts as code, and how it is seen and copied.

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import vm from "node:vm";
import { copyOf, viewOf } from "../src/code.ts";

const content = [1, 2, 3, 4, 5, 6, 7, 8];

test("viewOf sees the bytes of every kind of buffer and view", () => {
  const buffer = Uint8Array.from(content).buffer;
  const shared = new SharedArrayBuffer(8);
  new Uint8Array(shared).set(content);
  const resizable = new ArrayBuffer(8, { maxByteLength: 64 });
  new Uint8Array(resizable).set(content);
  const views = [buffer, shared, resizable, new DataView(buffer), new Float64Array(buffer), new Uint8Array(shared)];
  for (const code of views) assertEquals([...viewOf(code)], content);
});

test("viewOf keeps to the offset and length of a view", () => {
  const buffer = Uint8Array.from(content).buffer;
  assertEquals([...viewOf(new Uint8Array(buffer, 2, 3))], [3, 4, 5]);
  assertEquals([...viewOf(new DataView(buffer, 6))], [7, 8]);
  assertEquals([...viewOf(new Uint16Array(buffer, 2, 2))], [3, 4, 5, 6]);
});

test("viewOf takes the buffer of another realm", () => {
  const foreign = vm.runInNewContext("new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer") as ArrayBuffer;
  assertEquals([...viewOf(foreign)], content);
});

test("viewOf refuses what is not bytes, and says what it was", () => {
  const wrong: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    ["wasm", "a string"],
    [12, "a number"],
    [[0, 1], "class Array"],
    [{ byteLength: 8, [Symbol.toStringTag]: "ArrayBuffer" }, "class Object"],
    [Object.create(null), "class null"],
    [Object.create(ArrayBuffer.prototype), "class ArrayBuffer"],
  ];
  for (const [value, said] of wrong) assertThrows(() => viewOf(value), TypeError, said);
});

test("copyOf is not changed by a change of what it was made from", () => {
  const original = Uint8Array.from(content);
  const copy = copyOf(original);
  original.fill(0);
  assertEquals([...copy], content);
  assertStrictEquals(copy.byteOffset, 0);
});
