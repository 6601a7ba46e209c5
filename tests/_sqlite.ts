// A question to sqlite, on the bare module.

import { assertStrictEquals } from "@std/assert";
import { bytes } from "./_tools.ts";

/** What sqlite says to a query, without a system below it. */
export function query(module: WebAssembly.Module, sql: string): number {
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 32768 });
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = kind === "memory" ? memory : () => 0;
  }
  const instance = new WebAssembly.Instance(module, imports);
  const sqlite = instance.exports as Record<string, (...values: number[]) => number>;
  const place = (content: Uint8Array) => {
    const pointer = sqlite.sqlite3_malloc!(content.length);
    new Uint8Array(memory.buffer).set(content, pointer);
    return pointer;
  };
  const result = place(new Uint8Array(4));
  const resultOf = (code: number) => {
    assertStrictEquals(code, 0);
    return new DataView(memory.buffer).getUint32(result, true);
  };
  sqlite.__wasm_call_ctors!();
  const database = resultOf(sqlite.sqlite3_open_v2!(place(bytes(":memory:\0")), result, 6, 0));
  const statement = resultOf(sqlite.sqlite3_prepare_v2!(database, place(bytes(`${sql}\0`)), -1, result, 0));
  assertStrictEquals(sqlite.sqlite3_step!(statement), 100);
  return sqlite.sqlite3_column_int!(statement, 0);
}
