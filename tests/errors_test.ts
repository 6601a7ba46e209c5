// The cache's errors, and what is read from those of the system.

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { CacheError } from "@wasm/module-cache";
import { test } from "node:test";
import { ioFault, isForeign, isGone, isMissing, systemCode } from "../src/errors.ts";
import { revoked } from "./_tools.ts";

const withCode = (code: unknown) => Object.assign(new Error("message"), { code });

test("a CacheError has its code, its path and its cause", () => {
  const cause = new Error("behind it");
  const error = new CacheError("IO", "Cannot write entry: disk full", { path: "/cache", cause });
  assert(error instanceof Error);
  assertEquals([error.name, error.code, error.path, error.cause], ["CacheError", "IO", "/cache", cause]);
  const bare = new CacheError("LIMIT", "Cannot write entry: no room");
  assertEquals([bare.path, "cause" in bare, String(bare)], [
    undefined,
    false,
    "CacheError: Cannot write entry: no room",
  ]);
});

test("the system's code is the error's own, its class name without one, and unknown where it cannot be looked at", () => {
  assertEquals(systemCode(withCode("ENOENT")), "ENOENT");
  assertEquals(systemCode(Object.assign(new Error("message"), { name: "NotCapable" })), "NotCapable");
  assertEquals(systemCode(withCode(7)), "Error");
  for (const value of [undefined, null, 7, {}, { name: 7 }, revoked()]) {
    assertStrictEquals(systemCode(value), "unknown");
  }
});

test("errors say what is missing, and what is none of the cache's", () => {
  const codes = ["ENOENT", "ENOTDIR", "ELOOP", "EMLINK", "ENXIO", "EACCES", "EEXIST", "NotCapable"];
  assertEquals(codes.filter((code) => isMissing(withCode(code))), ["ENOENT", "ENOTDIR"]);
  assertEquals(codes.filter((code) => isForeign(withCode(code))), ["ELOOP", "EMLINK", "ENXIO"]);
});

test("a fault of the system becomes one of the cache, and one of the cache stays what it is", () => {
  const cause = withCode("ENOSPC");
  const fault = ioFault("write", "/cache/entry", cause);
  assertEquals([fault.code, fault.path, fault.cause], ["IO", "/cache/entry", cause]);
  assertEquals(fault.message, "Cannot write /cache/entry: ENOSPC");
  assertStrictEquals(ioFault("read", "/other", fault), fault);
});

test("a directory is gone where the system says that there is none", () => {
  const gone = ioFault("write", "/cache", withCode("ENOENT"));
  assertEquals([isGone(gone), isGone(ioFault("write", "/cache", withCode("ENOSPC")))], [true, false]);
  assertStrictEquals(isGone(new CacheError("LIMIT", "no room", { cause: withCode("ENOENT") })), false);
});
