// Makes a table in sqlite and fills it, on the bare module: what a program's own work is to the V8 benchmark.

import { readFileSync } from "node:fs";

const url = new URL("../node_modules/@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm", import.meta.url);
const module = new WebAssembly.Module(new Uint8Array(readFileSync(url)));
const memory = new WebAssembly.Memory({ initial: 256, maximum: 32768 });
const imports = {};
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
  // There is no system: sqlite tries again and again where a file is opened under a number below 3.
  const none = name.startsWith("__syscall") ? -2 : 0;
  (imports[from] ??= {})[name] = kind === "memory" ? memory : () => none;
}
const sqlite = new WebAssembly.Instance(module, imports).exports;

function place(content) {
  const pointer = sqlite.sqlite3_malloc(content.length);
  new Uint8Array(memory.buffer).set(content, pointer);
  return pointer;
}

function check(code) {
  if (code !== 0) throw new Error(`sqlite says ${code}`);
}

function execute(sql) {
  const text = place(new TextEncoder().encode(`${sql}\0`));
  check(sqlite.sqlite3_exec(database, text, 0, 0, 0));
  sqlite.sqlite3_free(text);
}

sqlite.__wasm_call_ctors();
const result = place(new Uint8Array(4));
check(sqlite.sqlite3_open_v2(place(new TextEncoder().encode(":memory:\0")), result, 6, 0));
const database = new DataView(memory.buffer).getUint32(result, true);
execute("create table t (i integer primary key, name text, value real); create index names on t (name)");
for (let i = 0; i < 500; i++) execute(`insert into t values (${i}, 'name ${(i * 7919) % 1000}', ${i} / 3.0)`);
execute("select count(*), sum(value) from t where name > 'name 5' group by name order by 2 desc");
