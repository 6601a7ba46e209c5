// Prints what is found, and why it cannot be used: as a program of its own. With a folder, once
// more from there, and with `removed` without it.

import { rmdirSync } from "node:fs";
import process from "node:process";
import { findLibrary, whyNotHere } from "../../src/wasmtime/library.ts";

const found = [findLibrary()];
const [folder, removed] = process.argv.slice(2);
if (folder) {
  process.chdir(folder);
  if (removed) rmdirSync(folder);
  found.push(findLibrary());
}
console.log(JSON.stringify({ found, why: whyNotHere() }));
