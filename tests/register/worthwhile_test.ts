// Which code and which responses are worth a lookup: those of some length, that nobody has touched.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { isWorthwhile, worthwhile } from "../../src/register/worthwhile.ts";
import { WASM } from "../_server.ts";

const MIN_BYTES = 100;

test("code is worth a lookup from a length on", () => {
  for (const [length, isWorth] of [[0, false], [99, false], [100, true], [101, true]] as const) {
    const code = new Uint8Array(length).fill(7);
    const all = [code, code.buffer, new Uint8Array([1, ...code, 2]).subarray(1, -1)];
    assertEquals(all.map((each) => worthwhile(each, MIN_BYTES)?.length), all.map(() => isWorth ? length : undefined));
  }
  for (const value of [undefined, null, "text", 7, [], {}]) assertStrictEquals(worthwhile(value, 0), undefined);
});

function response(headers: Record<string, string> = {}, body: BodyInit | null = new Uint8Array(8)): Response {
  return new Response(body, { headers: { ...WASM, ...headers } });
}

test("a response is worth a lookup where it says no length, or one that is long enough", () => {
  const lengths = { "99": false, "100": true, "1000": true, "x": false };
  for (const [length, isWorth] of Object.entries(lengths)) {
    assertEquals([length, isWorthwhile(response({ "content-length": length }), MIN_BYTES)], [length, isWorth]);
  }
  assertStrictEquals(isWorthwhile(response(), MIN_BYTES), true);
});

test("a response that the runtime may judge otherwise is left to it", async () => {
  const used = response();
  await used.arrayBuffer();
  const locked = response();
  locked.body!.getReader();
  const touched = Object.defineProperty(response(), "then", { value: undefined });
  const wrong: unknown[] = [
    ...[undefined, null, 7, "text", {}, used, locked, touched, response({}, null)],
    response({ "content-type": "application/wasm; charset=utf-8" }),
    new Response(new Uint8Array(8), { status: 404, headers: WASM }),
    new (class extends Response {})(new Uint8Array(8), { headers: WASM }),
  ];
  assertEquals(wrong.map((each) => isWorthwhile(each, 0)), wrong.map(() => false));
});
