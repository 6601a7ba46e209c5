// A step that decompresses code. Knows the formats; zlib.ts inflates.

import { type Operation, perform, runAsync, runSync } from "../effect.ts";
import type { PrepareStep } from "../engine/prepared.ts";
import { inflate, type Inflated, type PackedFormat, TOO_LONG, Unavailable } from "./zlib.ts";

export type { PackedFormat };

/** Options of {@linkcode unpack}. */
export interface UnpackOptions {
  /**
   * Most bytes that may come out. Decompressing stops there.
   *
   * @default {268435456} 256 MiB
   */
  readonly maxBytes?: number;
  /**
   * Format of code that is not WebAssembly. `"auto"` goes by the first bytes. Brotli has none to go by: unknown code is
   * decompressed as brotli if WebAssembly comes out, and otherwise passed through.
   *
   * @default {"auto"}
   */
  readonly format?: PackedFormat | "auto";
}

const FORMATS: readonly unknown[] = ["auto", "gzip", "brotli", "zstd"];

/**
 * Creates a step that decompresses gzip, zstd and brotli, for {@linkcode prepared}.
 *
 * WebAssembly passes through unchanged, so one cache can take both. All of the input must be compressed code: several
 * gzip members or zstd frames are joined, and trailing bytes are an error. Deno, Bun and Node have all three formats,
 * and decompress synchronously too; other runtimes have those of `DecompressionStream`.
 *
 * @param options Format, and most bytes of output.
 * @returns The step. It throws a `WebAssembly.CompileError` if the input is damaged, incomplete or followed by other
 * bytes, and a `RangeError` if more than `maxBytes` would come out.
 * @throws {TypeError | RangeError} When an option is invalid.
 */
export function unpack(options: UnpackOptions = {}): PrepareStep {
  const { format, maxBytes } = checkOptions(options);
  return {
    id: `unpack@1 ${format}`,
    prepare: (code) => runAsync(unpackAs(code, format, maxBytes)),
    prepareSync: (code) => runSync(unpackAs(code, format, maxBytes)),
  };
}

function* unpackAs(code: Uint8Array, wanted: PackedFormat | "auto", maxBytes: number): Operation<Uint8Array> {
  if (isWasm(code)) return code;
  const format = wanted === "auto" ? formatOf(code) : wanted;
  if (format) return yield* whole(code, format, maxBytes);
  try {
    const output = yield* whole(code, "brotli", maxBytes);
    return isWasm(output) ? output : code;
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return code;
  }
}

/** Inflates all of the input. */
function* whole(code: Uint8Array, format: PackedFormat, maxBytes: number): Operation<Uint8Array> {
  // One byte is added: only incomplete input consumes it. For such input runtimes return what they have, without an
  // error (zstd on Deno, Bun and Node 22, brotli on Deno), and they stop at the end of the first frame (zstd on Deno,
  // Node 22 and 24).
  const packed = new Uint8Array(code.length + 1);
  packed.set(code);
  const outputs: Uint8Array[] = [];
  let [at, length] = [0, 0];
  while (at === 0 || (at < code.length && format === "zstd" && formatOf(code.subarray(at)) === "zstd")) {
    const { output, read } = yield* one(packed.subarray(at), format, maxBytes - length);
    at += read;
    length += output.length;
    if (length > maxBytes) throw tooLong(format, maxBytes);
    if (at > code.length || read === 0) throw damaged(format, "it is not complete");
    outputs.push(output);
  }
  if (at < code.length) throw damaged(format, "other bytes follow it");
  return outputs.length === 1 ? outputs[0]! : join(outputs, length);
}

function* one(packed: Uint8Array, format: PackedFormat, maxBytes: number): Operation<Inflated> {
  try {
    return yield* perform(inflate(packed, format, maxBytes));
  } catch (error) {
    if ((error as { code?: unknown }).code === TOO_LONG) throw tooLong(format, maxBytes);
    throw error instanceof Unavailable ? error : damaged(format, "it is damaged", error);
  }
}

function tooLong(format: string, maxBytes: number): RangeError {
  return new RangeError(`Cannot unpack ${format}: it has more than ${maxBytes} bytes`);
}

function damaged(format: string, state: string, cause?: unknown): WebAssembly.CompileError {
  return new WebAssembly.CompileError(`Cannot unpack ${format}: ${state}`, { cause });
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function isWasm(code: Uint8Array): boolean {
  return startsWith(code, 0, 0x61, 0x73, 0x6d);
}

/** RFC 1952, 2.3.1; RFC 8878, 3.1.1 and 3.1.2. */
function formatOf(code: Uint8Array): PackedFormat | undefined {
  if (startsWith(code, 0x1f, 0x8b)) return "gzip";
  const isSkippable = startsWith(code.subarray(1), 0x2a, 0x4d, 0x18) && (code[0]! & 0xf0) === 0x50;
  return startsWith(code, 0x28, 0xb5, 0x2f, 0xfd) || isSkippable ? "zstd" : undefined;
}

function startsWith(code: Uint8Array, ...bytes: number[]): boolean {
  return bytes.every((byte, i) => code[i] === byte);
}

function checkOptions(options: unknown): Required<UnpackOptions> {
  const { format = "auto", maxBytes = 256 * 1024 * 1024 } = (options ?? {}) as UnpackOptions;
  if (!FORMATS.includes(format)) {
    throw new TypeError(`Cannot use unpack: format must be one of ${FORMATS.join(", ")}`);
  }
  if (typeof maxBytes !== "number") throw new TypeError("Cannot use unpack: maxBytes must be a number");
  if (!(maxBytes >= 0) || !(Number.isSafeInteger(maxBytes) || maxBytes === Infinity)) {
    throw new RangeError(`Cannot use unpack: maxBytes must be a whole number from 0 on, or Infinity, not ${maxBytes}`);
  }
  return { format, maxBytes };
}
