// Engines beside each other, and stacks that are nearly full: what would end the process is an error.

import { assertEquals } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { runScript, runtimes, thisRuntime } from "../_tools.ts";
import { native } from "./_engine.ts";
import { library } from "./_library.ts";

/** What a program of these tests prints. */
async function toldBy(program: string, ...args: string[]): Promise<unknown> {
  const command = runtimes()[thisRuntime()]!;
  const { code, stderr, stdout } = await runScript(command, `tests/wasmtime/${program}`, [library!, ...args]);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout.trim().split("\n").at(-1)!);
}

test("what belongs to another engine is refused, and its functions are called through JavaScript", native, async () => {
  assertEquals(await toldBy("_crossed.ts"), {
    memory: "LinkError",
    table: "LinkError",
    global: "LinkError",
    function: 5,
    element: 7,
    module: "TypeError",
    serialize: "TypeError",
  });
});

for (const seed of process.env.TEST_LONG === "1" ? Array.from({ length: 50 }, (_, i) => `${i}`) : ["1", "2"]) {
  test(
    `whatever is done with anything, the process goes on, seed ${seed}`,
    { ...native, timeout: 120_000 },
    async () => {
      assertEquals(await toldBy("_fuzz.ts", seed, "1500"), { seed, isUsed: true });
    },
  );
}

for (const bytes of ["65536", "524288", "786432"]) {
  test(`WebAssembly that recurses where JavaScript has used up the stack traps, with ${bytes} bytes`, {
    ...native,
    timeout: 60_000,
  }, async () => {
    const traps = ["STACK_OVERFLOW", "STACK_OVERFLOW"];
    assertEquals(await toldBy("_deep.ts", bytes), { main: traps, worker: traps });
  });
}
