// What counts as code, and how it is seen and copied.

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import vm from "node:vm";
import { copyOf, describe, isUint8Array, textOf, viewOf } from "../src/bytes.ts";

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

test("viewOf and copyOf see the bytes that are there, whatever a view says of itself", () => {
  class Lying extends Uint8Array {
    override get length() {
      return 1e9;
    }
    override get byteLength() {
      return 2;
    }
    override get byteOffset() {
      return 4;
    }
    override slice() {
      return this;
    }
  }
  const lying = Object.defineProperty(new Lying(content), "buffer", { value: new ArrayBuffer(1) });
  const view = Object.defineProperty(new DataView(Uint8Array.from(content).buffer), "byteLength", { value: 3 });
  for (const code of [lying, view]) assertEquals([...viewOf(code)], content);
  assertEquals([...copyOf(lying)], content);
});

test("viewOf refuses a view whose memory was transferred away", () => {
  for (const code of [Uint8Array.from(content), new DataView(Uint8Array.from(content).buffer)]) {
    structuredClone(code.buffer, { transfer: [code.buffer] });
    assertThrows(() => viewOf(code), TypeError);
  }
});

test("isUint8Array takes those of every realm and class, and nothing else", () => {
  const foreign = vm.runInNewContext("new Uint8Array(2)");
  for (const value of [foreign, new Uint8Array(1), new (class extends Uint8Array {})(1)]) {
    assertEquals(isUint8Array(value), true);
  }
  const pretender = { [Symbol.toStringTag]: "Uint8Array", length: 1 };
  const others = [pretender, new Uint8ClampedArray(1), new ArrayBuffer(1), new Proxy(new Uint8Array(1), {}), null, "a"];
  for (const value of others) assertEquals(isUint8Array(value), false);
});

test("describe and textOf have words for what cannot be looked at", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const throwing = {
    toString() {
      throw new Error("no text");
    },
  };
  for (const value of [proxy, Object.create(null), throwing, Symbol("s"), undefined]) {
    assertEquals([typeof describe(value), typeof textOf(value)], ["string", "string"]);
  }
});

test("copyOf is not changed by a change of what it was made from", () => {
  const original = Uint8Array.from(content);
  const copy = copyOf(original);
  original.fill(0);
  assertEquals([...copy], content);
  assertStrictEquals(copy.byteOffset, 0);
});
