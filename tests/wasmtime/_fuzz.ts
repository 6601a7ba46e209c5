// Does anything with everything, in a random order that its seed decides: whatever comes of it, the process goes on.

import process from "node:process";
import { codeOf, engineWith } from "./_engine.ts";

const [library, seed = "1", count = "2000"] = process.argv.slice(2);

/** Mulberry32. */
let state = Number(seed);
function random(below: number): number {
  state = state + 0x6d2b79f5 | 0;
  let t = Math.imul(state ^ state >>> 15, 1 | state);
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
  return ((t ^ t >>> 14) >>> 0) % below;
}

const engines = [{}, { fuel: true, deadlines: true }].map((options) => engineWith({ library, ...options }));
const TEXTS = [
  `(module (import "e" "f" (func $f (param i32 f64) (result i64))) (memory (export "m") 1 3) (table (export "t") 2 funcref)
    (global (export "g") (mut i32) (i32.const 1)) (func (export "a") (param i32 f64) (result i64)
    (call $f (local.get 0) (local.get 1))) (func (export "b") (param i32) (result i32) (memory.grow (local.get 0))))`,
  `(module (import "e" "m" (memory 1)) (import "e" "t" (table 1 funcref)) (import "e" "g" (global $g (mut i32)))
    (func (export "a") (result i32) (i32.load (global.get $g))) (func (export "b") (call_indirect (i32.const 0)))
    (export "m" (memory 0)) (export "t" (table 0)))`,
  `(module (table (export "t") 2 externref) (func (export "a") (param externref funcref) (result funcref externref)
    (local.get 1) (local.get 0)) (func $r (export "b") (call $r)) (func (export "c") unreachable))`,
  `(module (func (export "a") (param i32 i32 i32 i32 i32 i32) (result i32 i64) (local.get 5) (i64.const -1)))`,
];
const codes = await Promise.all(TEXTS.map(codeOf));
const values: unknown[] = [
  ...[undefined, null, 0, 1, -1, 65535, 2 ** 31, 2 ** 53, NaN, 1n, -(2n ** 63n), "1", "x", true, Symbol("s"), {}, []],
  ...[() => 1, () => 1n, () => Promise.resolve(1), new ArrayBuffer(8), new Uint8Array(3), Object.create(null)],
];
const pick = <T>(from: readonly T[]): T => from[random(from.length)]!;
const any = () => pick(values);
const key = () => pick(["e", "m", "t", "g", "f", "a", "b", "c", "exports", "buffer", "value", "length"]);

// deno-lint-ignore no-explicit-any -- that is the point
type Any = any;
const acts: (() => unknown)[] = [
  () => pick(engines).compile(pick(codes)),
  () => pick(engines).compile(any() as Any),
  () => pick(engines).instantiate(any() as Any, { e: { f: any(), m: any(), t: any(), g: any() } } as Any),
  () => pick(engines).instantiate(any() as Any, any() as Any, any() as Any),
  () => pick(engines).instantiate(any() as Any, {}, { fuel: any(), deadlineMs: any(), maxMemoryBytes: any() } as Any),
  () => new (pick(engines).Memory)({ initial: any(), maximum: any() } as Any),
  () => new (pick(engines).Table)({ element: pick(["anyfunc", "externref"]), initial: random(4) }, any()),
  () => new (pick(engines).Global)({ value: pick(["i32", "i64", "externref", "anyfunc"]), mutable: true }, any()),
  () => (any() as Any)[key()],
  () => (any() as Any).exports[key()],
  () => (any() as Any)[key()] = any(),
  () => (any() as Any)(any(), any(), any()),
  () => (any() as Any).exports[key()](any(), any()),
  () => (any() as Any).get(any()),
  () => (any() as Any).set(any(), any()),
  () => (any() as Any).grow(random(3), any()),
  () => random(4) === 0 && (any() as Any).dispose(),
  () => (any() as Any).fuelLeft = any(),
  () => pick(engines).serialize(any() as Any, pick(codes)),
];
let done = 0;
for (let i = 0; i < Number(count); i++) {
  try {
    const value = pick(acts)();
    if (value !== undefined && value !== null && values.length < 400) values.push(value);
    done++;
  } catch {
    // Any error will do.
  }
}
console.log(JSON.stringify({ seed, isUsed: done > 50 }));
