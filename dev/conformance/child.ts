// Runs one file of the tests of WebAssembly's JavaScript API, and prints what came of it.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { finished, globals } from "./harness.ts";

const [folder = "", file = ""] = process.argv.slice(2);
const path = join(folder, file);
const text = readFileSync(path, "utf8");
const scripts = [...text.matchAll(/^\/\/ META: script=(.*)$/gm)].map(([, script]) => {
  const below = script!.replace(/^\/wasm\/jsapi\//, "");
  return readFileSync(below === script ? join(dirname(path), script) : join(folder, below), "utf8");
});
Object.assign(globalThis, globals);
// Tests look at some promises late.
process.on("unhandledRejection", () => {});
let fault: string | undefined;
try {
  // One text, so that all share what one declares; indirectly, so that it is a script and not a module's.
  (0, eval)([...scripts, text].join("\n;\n"));
} catch (error) {
  fault = String(error);
}
const outcomes = await finished();
process.stdout.write(`\noutcomes: ${JSON.stringify({ outcomes, fault })}\n`);
