// The examples of README and docs run and print what they say.

import { assertEquals, assertGreater } from "@std/assert";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { ENTRIES, ROOT } from "./_tools.ts";

/** A TypeScript example, and where it stands. */
interface Example {
  readonly place: string;
  readonly source: string;
}

function examplesIn(path: string): Example[] {
  const content = readFileSync(join(ROOT, path), "utf8").replace(/^ *\* ?/gm, path.endsWith(".ts") ? "" : "$&");
  return [...content.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, source], i) => ({
    place: `${path}, example ${i + 1}`,
    source: source!,
  }));
}

const sources = (readdirSync(join(ROOT, "src"), { recursive: true }) as string[])
  .map((path) => `src/${path.replaceAll("\\", "/")}`).filter((path) => path.endsWith(".ts"));
const pages = readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`);
const examples = ["README.md", ...pages, ...ENTRIES, ...sources].flatMap(examplesIn);

/** What the `console.log` lines with a comment say they print. */
function promised(source: string): string[] {
  return [...source.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map(([, said]) => said!);
}

/** The same lines, printing to where it can be read. */
function instrumented(source: string): string {
  return source.replace(/console\.log\((.*)\); \/\/ .+$/gm, "globalThis.exampleOutput.push([$1]);");
}

const show = (value: unknown) => typeof value === "string" ? JSON.stringify(value) : String(value);

test("the README and the docs have examples", () => {
  assertGreater(examples.filter(({ place }) => place.startsWith("README")).length, 1);
  assertGreater(examples.length, 6);
});

for (const { place, source } of examples) {
  test(`${place} runs and prints what it says`, { timeout: 30_000 }, async () => {
    // In the tree, so that the package's own name resolves; in a directory of its own, for what the example writes.
    const folder = join(ROOT, ".cache");
    mkdirSync(folder, { recursive: true });
    const scratch = mkdtempSync(join(folder, "example-"));
    const { WASM_CACHE_DIR } = process.env;
    process.env.WASM_CACHE_DIR = scratch;
    const output: unknown[][] = (globalThis as unknown as { exampleOutput: unknown[][] }).exampleOutput = [];
    try {
      const file = join(scratch, "example.ts");
      writeFileSync(file, instrumented(source).replaceAll('"/tmp/', `"${scratch.replaceAll("\\", "/")}/`));
      await import(pathToFileURL(file).href);
      const expected = promised(source).map((said) => said.replaceAll('"/tmp/', `"${scratch.replaceAll("\\", "/")}/`));
      assertEquals(output.map((values) => values.map(show).join(" ")), expected);
    } finally {
      if (WASM_CACHE_DIR === undefined) delete process.env.WASM_CACHE_DIR;
      else process.env.WASM_CACHE_DIR = WASM_CACHE_DIR;
      rmSync(scratch, { recursive: true });
    }
    assertEquals(process.exitCode ?? 0, 0);
  });
}
