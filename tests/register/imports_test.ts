// What a program imports as wasm, on Node: its loader compiles it through the namespace, for the program.

import { assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";
import { registered } from "../_register.ts";
import { bytes, inDirectory, runtimes, thisRuntime } from "../_tools.ts";

const isHere = thisRuntime().startsWith("Node 24");
const options = { timeout: 60_000, skip: isHere ? false : "runs on Node 24, which starts every Node there is" };
/** Every Node there is: what it imports, and how, changes from one to the next. */
const nodes = Object.entries(runtimes()).filter(([name]) => name.startsWith("Node")).map(([name, command]) => {
  const [, major] = name.match(/^Node (\d+)/)!;
  // Node 22 imports wasm by a flag only, and knows no import of a source.
  return { name, command, hasSource: Number(major) > 22, flags: ["--no-warnings", "--experimental-wasm-modules"] };
});
const host = { WASM_CACHE_ENGINE: "host" };

/** Code of a module: pieces, then a custom section that makes it worth a lookup. */
function padded(...pieces: number[][]): Uint8Array {
  return Uint8Array.from([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...pieces.flat(),
    0,
    0x85,
    0x40,
    1,
    97,
    ...Array(8195).fill(0),
  ]);
}

const name = (text: string) => [text.length, ...bytes(text)];
const section = (id: number, ...content: number[][]) => [id, content.flat().length, ...content.flat()];
const VOID = [0x60, 0, 0];
const GIVES = [0x60, 0, 1, 0x7f];

/** Exports `f`, which gives 7. */
const PLAIN = padded(
  section(1, [1], GIVES),
  section(3, [1, 0]),
  section(7, [1], name("f"), [0, 0]),
  section(10, [1, 4, 0, 0x41, 7, 0x0b]),
);
/** Imports `g` of a JavaScript file, which imports it: a cycle. Exports `f`, which calls it. */
const CYCLE = padded(
  section(1, [1], GIVES),
  section(2, [1], name("./cycle.mjs"), name("g"), [0, 0]),
  section(3, [1, 0]),
  section(7, [1], name("f"), [0, 1]),
  section(10, [1, 4, 0, 0x10, 0, 0x0b]),
);
/** Imports a builtin, with `() -> ()` that only a builtin would refuse. */
const BUILTIN = padded(
  section(1, [1], VOID),
  section(2, [1], name("wasm:js-string"), name("length"), [0, 0]),
);

for (const { name, command, hasSource, flags } of nodes) {
  const run = (texts: Record<string, string | Uint8Array>, env: Record<string, string> = host) =>
    registered(texts, env, { command, flags });

  test(`${name} imports of wasm come from the cache`, options, () =>
    inDirectory(async (directory) => {
      const texts = {
        "program.mjs": `import { f } from "./a.wasm"; import * as all from "./a.wasm";
          console.log(f(), Object.keys(all).join());`,
        "a.wasm": PLAIN,
      };
      const env = { ...host, WASM_CACHE_DIR: directory };
      for (const from of ["compiled", "disk"]) {
        const served = await run(texts, env);
        assertEquals([served.stdout.trim(), served.from], ["7 f", [from]], served.stderr);
      }
      assertEquals((await run(texts, { ...env, WASM_CACHE: "off" })).from, []);
    }));

  test(`${name} imports of a source come from the cache, and are of the class`, options, async () => {
    if (!hasSource) return;
    const { from, stderr, stdout } = await run({
      "program.mjs": `import source module from "./a.wasm"; import source again from "./a.wasm";
        import { readFileSync } from "node:fs";
        const bytes = readFileSync(new URL("./a.wasm", import.meta.url));
        const other = new WebAssembly.Module(bytes);
        console.log(new WebAssembly.Instance(module).exports.f(), module instanceof WebAssembly.Module,
          module === again, module !== other, module.constructor === WebAssembly.Module);`,
      "a.wasm": PLAIN,
    });
    assertEquals([stdout.trim(), from], ["7 true true true true", ["compiled", "memory"]], stderr);
  });

  test(`${name} cycles of wasm and JavaScript work as before`, options, async () => {
    const texts = {
      "cycle.mjs": `import { f } from "./a.wasm"; export function g() { return 9; } console.log(f());`,
      "a.wasm": CYCLE,
    };
    const served = await run(texts);
    assertEquals([served.stdout.trim(), served.from], ["9", ["compiled"]], served.stderr);
    assertStrictEquals((await run(texts, { ...host, WASM_CACHE: "off" })).stdout, served.stdout);
  });

  test(`${name} imports fail as before`, options, async () => {
    const text = `import("./a.wasm").then(Object.keys, (error) => [error.name, error.message]).then(
      (found) => console.log(found.join()));`;
    for (const code of [PLAIN.slice(0, 6000), new Uint8Array(5000), BUILTIN, CYCLE]) {
      const texts = { "program.mjs": text, "a.wasm": code };
      const outcomes = await Promise.all([run(texts), run(texts, { ...host, WASM_CACHE: "off" })]);
      // Each has a folder of its own.
      const [served, native] = outcomes.map(({ stdout }) => stdout.replace(/register-[0-9a-f-]+/g, "folder"));
      assertStrictEquals(served, native);
      assertEquals(served!.length > 1, true, outcomes[0]!.stderr);
      assertEquals(outcomes[0]!.from, code === CYCLE ? ["compiled"] : []);
    }
  });

  test(`${name} what it compiles for itself is left alone`, options, async () => {
    // Its TypeScript, and the lexer of CommonJS that is imported.
    const { from, stderr, stdout } = await run({
      "program.mjs": `import { a } from "./a.cjs"; import { b } from "./b.ts"; console.log(a, b);`,
      "a.cjs": `exports.a = 1;`,
      "b.ts": `export const b: number = 2;`,
    });
    assertEquals([stdout.trim(), from], ["1 2", []], stderr);
  });
}

test("what is imported starts from machine code", options, () =>
  inDirectory(async (directory) => {
    await new ModuleCache({ engine: v8Engine(), directory, strict: true }).warm([PLAIN]);
    const { command, flags } = nodes.find(({ name }) => name === thisRuntime())!;
    const texts = { "program.mjs": `import { f } from "./a.wasm"; console.log(f());`, "a.wasm": PLAIN };
    const env = { WASM_CACHE_ENGINE: "v8", WASM_CACHE_DIR: directory };
    const { from, stderr, stdout } = await registered(texts, env, { command, flags });
    assertEquals([stdout.trim(), from], ["7", ["disk"]], stderr);
  }));
