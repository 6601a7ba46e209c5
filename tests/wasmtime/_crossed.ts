// Gives an engine what belongs to another, in a process of its own: Wasmtime itself ends it. Prints what came of each.

import process from "node:process";
import { codeOf, engineWith } from "./_engine.ts";

const [library] = process.argv.slice(2);
const [one, other] = [engineWith({ library }), engineWith({ library, deadlines: true })];
const seven = one.compile(await codeOf(`(module (func (export "f") (result i32) (i32.const 7)))`));
const { exports } = one.instantiate(await seven);
const wants = async (what: string) =>
  await other.compile(
    await codeOf(`(module (import "e" "x" ${what}) (import "e" "f" (func $f (result i32)))
    (func (export "run") (result i32) (call $f)))`),
  );
const run = (module: Awaited<typeof seven>, x: unknown) => () =>
  other.instantiate(module, { e: { x, f: () => 5 } }).exports.run();
const table = new other.Table({ element: "anyfunc", initial: 1 });
const uses: Record<string, () => unknown> = {
  memory: run(await wants("(memory 1)"), new one.Memory({ initial: 1 })),
  table: run(await wants("(table 1 funcref)"), new one.Table({ element: "anyfunc", initial: 1 })),
  global: run(await wants("(global i32)"), new one.Global({ value: "i32" }, 1)),
  function: run(await wants("(func (result i32))"), exports.f),
  element: () => (table.set(0, exports.f), (table.get(0) as () => unknown)()),
  module: () => other.instantiate(seven as Awaited<typeof seven>),
  serialize: () => other.serialize(seven as Awaited<typeof seven>, new Uint8Array()),
};
const told = Object.entries(uses).map(([name, use]) => {
  try {
    return [name, use()];
  } catch (error) {
    return [name, (error as Error).constructor.name];
  }
});
console.log(JSON.stringify(Object.fromEntries(told)));
