// What processes say to each other: orders as bytes.

import { assertEquals, assertThrows } from "@std/assert";
import { chmodSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { checkFolder, ordersIn, partsOf } from "../../src/background/orders.ts";
import type { Order } from "../../src/v8/order.ts";
import { bytes, inDirectory } from "../_tools.ts";

function throughBytes(orders: readonly Order[]): Order[] {
  return ordersIn(new Uint8Array(Buffer.concat(partsOf(orders))));
}

test("orders come through bytes as they were, with their secret and limits that are none", () => {
  const options = { secret: bytes("a secret"), maxDiskBytes: Infinity, maxDiskAgeMs: 0, maxMemoryBytes: 5 };
  const target = { key: "00ff", compileMs: 1.5, directory: "/a/ü", root: "/a/ü/v1", options };
  const parts = { code: bytes("code"), profile: new Uint8Array(), snapshot: bytes("snapshot"), probe: bytes("probe") };
  const orders: Order[] = [
    { id: "one", grade: "profile", ...parts, target },
    { id: "two", grade: "full", code: bytes("other") },
  ];
  assertEquals(throughBytes(orders), orders);
  assertEquals(throughBytes([]), []);
});

test("a folder in which others can put files is refused", () =>
  inDirectory((directory) => {
    checkFolder(directory);
    if (process.platform === "win32") return;
    chmodSync(directory, 0o777);
    assertThrows(() => checkFolder(directory), Error, "777");
  }));
