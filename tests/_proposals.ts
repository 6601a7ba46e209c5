// Small modules that each need one proposal of WebAssembly, written by Binaryen itself.

/** What is used of Binaryen to write them. */
interface Writer {
  readonly Features: { readonly All: number };
  parseText(text: string, features: number): { setFeatures(bits: number): void; emitBinary(): Uint8Array };
}

const TEXTS: Record<string, string> = {
  "nothing": '(func (export "f") (result i32) (i32.const 1))',
  "mutable globals": '(global (export "g") (mut i32) (i32.const 1))',
  "sign extension": '(func (export "f") (param i32) (result i32) (i32.extend8_s (local.get 0)))',
  "saturating conversions": '(func (export "f") (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0)))',
  "several results": '(func (export "f") (result i32 i32) (i32.const 1) (i32.const 2))',
  "bulk memory": `(memory 1) (data $d "abc")
    (func (export "f") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $d))`,
  "memory.copy": '(memory 1) (func (export "f") (memory.copy (i32.const 0) (i32.const 8) (i32.const 100)))',
  "reference types": `(table $t 1 externref)
    (func (export "f") (param externref) (table.set $t (i32.const 0) (local.get 0)))`,
  "two tables": `(table $a 1 funcref) (table $b 1 funcref) (elem (table $b) (i32.const 0) func $g)
    (func $g) (func (export "f") (call_indirect $b (i32.const 0)))`,
  "SIMD": '(func (export "f") (param v128) (result v128) (i8x16.add (local.get 0) (local.get 0)))',
  "relaxed SIMD": `(func (export "f") (param v128) (result v128)
    (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))`,
  "threads": '(memory 1 1 shared) (func (export "f") (result i32) (i32.atomic.load (i32.const 0)))',
  "tail calls": '(func $g (export "f") (param i32) (return_call $g (local.get 0)))',
  "exceptions": `(tag $t (param i32))
    (func (export "f") (result i32) (block $b (result i32) (try_table (catch $t $b) (throw $t (i32.const 1))) (i32.const 2)))`,
  "extended constants": `(global $a (import "a" "a") i32)
    (global (export "g") i32 (i32.add (global.get $a) (i32.const 1)))`,
  "GC": `(type $s (struct (field (mut i32))))
    (func (export "f") (result i32) (struct.get $s 0 (struct.new $s (i32.const 1))))
    (func (export "g") (param anyref) (result anyref) (ref.cast (ref null $s) (local.get 0)))`,
  "several memories": '(memory $a 1) (memory $b 1) (func (export "f") (result i32) (i32.load $b (i32.const 0)))',
  "memory of 64 bits": '(memory i64 1) (func (export "f") (result i32) (i32.load (i64.const 0)))',
};

/** The modules, by proposal. Binaryen prints what its validator finds; the console is kept from it. */
export async function proposals(): Promise<[string, Uint8Array<ArrayBuffer>][]> {
  const { error } = console;
  console.error = () => {};
  const binaryen = (await import("binaryen")).default as unknown as Writer;
  console.error = error;
  return Object.entries(TEXTS).map(([name, fields]) => {
    const module = binaryen.parseText(`(module ${fields})`, binaryen.Features.All);
    return [name, module.emitBinary().slice()];
  });
}
