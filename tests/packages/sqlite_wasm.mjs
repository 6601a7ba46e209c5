// A recursive query in a database in memory.

import sqlite3InitModule from "@sqlite.org/sqlite-wasm";

const sqlite3 = await sqlite3InitModule();
const db = new sqlite3.oo1.DB(":memory:");
const sql = `
  with recursive fibonacci(n, a, b) as (
    select 1, 0, 1 union all select n + 1, b, a + b from fibonacci where n < 40
  )
  select n, a, hex(a) from fibonacci where n % 10 = 0
`;
console.log(`SQLite ${sqlite3.version.libVersion}`);
for (const row of db.selectArrays(sql)) console.log(row.join(" | "));
db.close();
