// Reads WebAssembly's binary format, of code that has been compiled and so is valid. Pure.

import { fromUtf8 } from "../platform/globals.ts";

/** Reads numbers and names one after another. */
export class Reader {
  /** Where the next one begins. */
  at: number;
  readonly #code: Uint8Array;

  /** Begins somewhere in the code. */
  constructor(code: Uint8Array, at: number) {
    this.#code = code;
    this.at = at;
  }

  /** A byte; 0 behind the end. */
  byte(): number {
    return this.#code[this.at++] ?? 0;
  }

  /** An unsigned LEB128 of up to 53 bits. */
  number(): number {
    let [value, factor, byte] = [0, 1, 128];
    for (; byte >= 128; factor *= 128) {
      byte = this.byte();
      value += (byte & 127) * factor;
    }
    return value;
  }

  /** A name. */
  name(): string {
    const length = this.number();
    this.at += length;
    return fromUtf8(this.#code.subarray(this.at - length, this.at));
  }
}

/** A section of a module. */
export interface Section {
  /** Its number; 0 for custom sections. */
  readonly id: number;
  /** Where its content begins. */
  readonly from: number;
  /** Where its content ends. */
  readonly to: number;
}

/** The sections of a module, in order. */
export function* sectionsOf(code: Uint8Array): Generator<Section> {
  const reader = new Reader(code, 8);
  while (reader.at < code.length) {
    const id = reader.byte();
    const length = reader.number();
    yield { id, from: reader.at, to: reader.at + length };
    reader.at += length;
  }
}
