// The blocking API with the smallest bundle, which throws its exceptions through wasm.

import { createRequire } from "node:module";
import * as duckdb from "@duckdb/duckdb-wasm/blocking";

const { resolve } = createRequire(import.meta.url);
const bundles = {
  mvp: { mainModule: resolve("@duckdb/duckdb-wasm/dist/duckdb-mvp.wasm"), mainWorker: "" },
  eh: { mainModule: resolve("@duckdb/duckdb-wasm/dist/duckdb-eh.wasm"), mainWorker: "" },
};
const db = await duckdb.createDuckDB(bundles, new duckdb.VoidLogger(), duckdb.NODE_RUNTIME);
await db.instantiate();
const connection = db.connect();
console.log(`DuckDB ${db.getVersion()}`);
const table = connection.query(`
  select i % 4 as remainder, count(*)::int as count, sum(i * i)::int as squares
  from range(1000) numbers(i) group by remainder order by remainder
`);
for (const { remainder, count, squares } of table.toArray()) console.log(`${remainder} | ${count} | ${squares}`);
connection.close();
