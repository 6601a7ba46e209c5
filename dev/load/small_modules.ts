// Small modules, each different, and alike in all processes: an export that names it and a custom section of its own size.

import { below, randomFrom } from "./random.ts";

/** How many there are. */
export const MODULE_COUNT = 2000;

/** Longest custom section, bytes. */
const MAX_CONTENT_BYTES = 20_000;

/** Lengths are multiples of this, so that modules cannot be told apart by their length. */
const LENGTH_STEP_BYTES = 100;

/** Longest entry that there can be of one, bytes: its custom section, what else a module is made of, and a header. */
export const MAX_ENTRY_BYTES: number = MAX_CONTENT_BYTES + 300;

/** A module, and how to know it again. */
export interface SmallModule {
  /** Its code. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Name of its export. */
  readonly name: string;
  /** Length of its custom section, bytes. */
  readonly contentBytes: number;
}

/** Makes all of them; takes some 30 MB. */
export function smallModules(): SmallModule[] {
  return Array.from({ length: MODULE_COUNT }, (_, i) => smallModule(i));
}

/** Tells whether a compiled module is this one. */
export function isCompiledFrom({ name, contentBytes }: SmallModule, module: WebAssembly.Module): boolean {
  const [content] = WebAssembly.Module.customSections(module, name);
  return WebAssembly.Module.exports(module)[0]?.name === name && content?.byteLength === contentBytes;
}

function smallModule(i: number): SmallModule {
  const random = randomFrom(i);
  const name = `module ${i}`;
  const contentBytes = LENGTH_STEP_BYTES * (1 + below(random, MAX_CONTENT_BYTES / LENGTH_STEP_BYTES));
  const content = new Uint8Array(contentBytes).map(() => random() * 256);
  const label = [...new TextEncoder().encode(name)];
  const sections = [
    // type: () -> i32; function 0 is of it; exported by the name; its body is i32.const 42.
    section(1, [1, 0x60, 0, 1, 0x7f]),
    section(3, [1, 0]),
    section(7, [1, label.length, ...label, 0, 0]),
    section(10, [1, 4, 0, 0x41, 42, 0x0b]),
    section(0, [label.length, ...label, ...content]),
  ];
  return { code: Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]), name, contentBytes };
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb128(content.length), ...content];
}

function leb128(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...leb128(value >> 7)];
}
