// What every implementation of the FFI port must do. Calls C's own library.

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import type { Address, Ffi } from "../../src/ffi/ffi.ts";
import { bytes } from "../_tools.ts";

const LIBRARY = "libc.so.6";

const SIGNATURES = {
  strlen: ["size", "bytes"],
  abs: ["i32", "i32"],
  toupper: ["i32", "i32"],
  memcpy: ["address", "address", "bytes", "size"],
  memchr: ["address", "bytes", "i32", "size"],
  malloc: ["address", "size"],
  free: ["void", "address"],
  qsort: ["void", "address", "size", "size", "address"],
  htonl: ["u32", "u32"],
  llabs: ["size", "size"],
} as const;

/** Registers the contract's tests for an implementation. */
export function ffiContract(name: string, detect: () => Ffi | undefined, { skip }: { skip: string | false }): void {
  const check = (what: string, body: (ffi: Ffi) => void) =>
    test(`${name} FFI ${what}`, { skip }, () => body(detect()!));

  check("passes numbers and bytes, and gives them back", (ffi) => {
    const c = ffi.open(LIBRARY, SIGNATURES);
    assertEquals([Number(c.strlen(bytes("hello\0"))), Number(c.strlen(bytes("\0")))], [5, 0]);
    assertEquals([c.abs(-5), c.abs(-(2 ** 31) + 1), c.toupper(97)], [5, 2 ** 31 - 1, 65]);
    assertStrictEquals(c.htonl(0xff00_0001), 0x0100_00ff);
    assertStrictEquals(Number(c.llabs(ffi.size(2 ** 52))), 2 ** 52);
  });

  check("has null for what is not there", (ffi) => {
    const c = ffi.open(LIBRARY, SIGNATURES);
    assert(!c.memchr(bytes("hello"), 120, ffi.size(5)));
    assert(c.memchr(bytes("hello"), 108, ffi.size(5)));
    assert(!ffi.address(0));
  });

  check("shows native memory without copying it", (ffi) => {
    const c = ffi.open(LIBRARY, SIGNATURES);
    const address = c.malloc(ffi.size(16));
    c.memcpy(address, bytes("0123456789abcdef"), ffi.size(16));
    const view = new Uint8Array(ffi.view(address, 16));
    assertStrictEquals(new TextDecoder().decode(view.slice()), "0123456789abcdef");
    c.memcpy(ffi.address(BigInt(address) + 4n), bytes("XYZ"), ffi.size(3));
    assertStrictEquals(view[4], 88);
    view[5] = 33;
    assertStrictEquals(new Uint8Array(ffi.view(address, 6))[5], 33);
    // Memory that goes has no view.
    view.buffer.transfer(0);
    c.free(address);
  });

  check("has C call JavaScript, which may call C", (ffi) => {
    const c = ffi.open(LIBRARY, SIGNATURES);
    const address = c.malloc(ffi.size(400));
    const numbers = new Int32Array(ffi.view(address, 400));
    numbers.forEach((_, i) => numbers[i] = (i * 37) % 100 - 50);
    const at = (place: Address) => new Int32Array(ffi.view(place, 4))[0]!;
    const compare = ffi.callback(["i32", "address", "address"], (a, b) => c.abs(at(a)) - c.abs(at(b)));
    c.qsort(address, ffi.size(100), ffi.size(4), compare);
    assertEquals(Array.from(numbers, Math.abs), Array.from(numbers, Math.abs).sort((a, b) => a - b));
    numbers.buffer.transfer(0);
    c.free(address);
  });

  check("throws where a library or a function is missing", (ffi) => {
    assertThrows(() => ffi.open("/none/libnone.so", SIGNATURES));
    assertThrows(() => ffi.open(LIBRARY, { no_such_function_here: ["void"] }));
  });
}
