// Small modules that each need one proposal of WebAssembly, written by Binaryen itself.

import type { FeatureBits, FeatureModule } from "../src/steps/features.ts";

/** What is used of Binaryen to write them and to read them back. */
export interface Writer {
  readonly Features: FeatureBits;
  parseText(text: string, features: number): FeatureModule & { emitBinary(): Uint8Array };
  readBinary(code: Uint8Array, features: number): FeatureModule & { dispose(): void };
}

/** What is in the modules, by the features that they need. */
const TEXTS: Record<string, string> = {
  "": '(func (export "f") (result i32) (i32.const 1))',
  "MutableGlobals": '(global (export "g") (mut i32) (i32.const 1))',
  "SignExt": '(func (export "f") (param i32) (result i32) (i32.extend8_s (local.get 0)))',
  "NontrappingFPToInt": '(func (export "f") (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0)))',
  "Multivalue": '(func (export "f") (result i32 i32) (i32.const 1) (i32.const 2))',
  "BulkMemory BulkMemoryOpt": `(memory 1) (data $d "abc")
    (func (export "f") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $d))`,
  "BulkMemoryOpt": '(memory 1) (func (export "f") (memory.copy (i32.const 0) (i32.const 8) (i32.const 100)))',
  "CallIndirectOverlong ReferenceTypes": `(table $t 1 externref)
    (func (export "f") (param externref) (table.set $t (i32.const 0) (local.get 0)))`,
  "SIMD128": '(func (export "f") (param v128) (result v128) (i8x16.add (local.get 0) (local.get 0)))',
  "RelaxedSIMD SIMD128": `(func (export "f") (param v128) (result v128)
    (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))`,
  "Atomics": '(memory 1 1 shared) (func (export "f") (result i32) (i32.atomic.load (i32.const 0)))',
  "TailCall": '(func $g (export "f") (param i32) (return_call $g (local.get 0)))',
  "ExceptionHandling": `(tag $t (param i32))
    (func (export "f") (result i32) (block $b (result i32) (try_table (catch $t $b) (throw $t (i32.const 1))) (i32.const 2)))`,
  "ExtendedConst": `(global $a (import "a" "a") i32)
    (global (export "g") i32 (i32.add (global.get $a) (i32.const 1)))`,
  "CallIndirectOverlong GC ReferenceTypes": `(type $s (struct (field (mut i32))))
    (func (export "f") (result i32) (struct.get $s 0 (struct.new $s (i32.const 1))))
    (func (export "g") (param anyref) (result anyref) (ref.cast (ref null $s) (local.get 0)))`,
  "MultiMemory": '(memory $a 1) (memory $b 1) (func (export "f") (result i32) (i32.load $b (i32.const 0)))',
  "Memory64": '(memory i64 1) (func (export "f") (result i32) (i32.load (i64.const 0)))',
};

/** Imports that newer Binaryen writes in fewer bytes, where it may; runtimes refuse that. */
const IMPORTS = `(import "host" "a" (func $a)) (import "host" "b" (func $b)) (import "host" "c" (func $c))
  (func (export "f") (call $a) (call $b) (call $c))`;

/** Binaryen, kept from printing what its validator finds: it takes the console's function when it is loaded. */
export async function quietBinaryen(): Promise<Writer> {
  const { error } = console;
  console.error = () => {};
  const binaryen = (await import("binaryen")).default as unknown as Writer;
  console.error = error;
  return binaryen;
}

/** Writes the modules: what each needs, and its code. */
export function proposals(binaryen: Writer): [string, Uint8Array<ArrayBuffer>][] {
  const { All, CompactImports } = binaryen.Features;
  return Object.entries({ ...TEXTS, " ": IMPORTS }).map(([needed, fields]) => {
    const module = binaryen.parseText(`(module ${fields})`, All);
    module.setFeatures(All & ~CompactImports);
    return [needed, module.emitBinary().slice()];
  });
}
