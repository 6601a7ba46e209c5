// Prints what is found, and why it cannot be used: as a program of its own. With an argument, once more from there.

import process from "node:process";
import { findLibrary, whyNotHere } from "../../src/wasmtime/library.ts";

const found = [findLibrary()];
const [folder] = process.argv.slice(2);
if (folder) {
  process.chdir(folder);
  found.push(findLibrary());
}
console.log(JSON.stringify({ found, why: whyNotHere() }));
