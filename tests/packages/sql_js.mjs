// Asks for SQLite twice, as two parts of a program would. The package compiles once and gives the same instance again.

import initSqlJs from "sql.js";

for (const first of [1, 100]) {
  const SQL = await initSqlJs();
  const db = new SQL.Database();
  db.run("create table numbers (value integer)");
  const insert = db.prepare("insert into numbers values (?)");
  for (let value = first; value < first + 50; value++) insert.run([value * value]);
  insert.free();
  const [result] = db.exec("select count(*), sum(value), max(value) from numbers where value % 3 = 1");
  console.log(result.columns.join(" | "));
  console.log(result.values[0].join(" | "));
  db.close();
}
