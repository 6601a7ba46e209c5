// A program that finds a damaged entry of the V8 engine: tells what it was warned of, and what sqlite says all the same.

import process from "node:process";
import { ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";
import { query } from "./_sqlite.ts";
import { realModule } from "./_tools.ts";

const codes: string[] = [];
const [directory] = process.argv.slice(2);
const engine = v8Engine({ artifact: "none" });
const cache = new ModuleCache({ engine, directory, onWarning: ({ code }) => codes.push(code) });
const { module, from } = cache.resolveSync(realModule("sqlite"));
const sql = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9000) select sum(i * 3) from n";
console.log(JSON.stringify({ from, codes, answer: query(module, sql) }));
