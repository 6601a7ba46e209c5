// Inflates by what the runtime has: `node:zlib` on Deno, Bun and Node, which also can at once; else the web's streams.
// Says how far it read; what that means, others know.

import type { Effect } from "../effect.ts";

/** A format that can be inflated. */
export type PackedFormat = "gzip" | "brotli" | "zstd";

/** What came out. */
export interface Inflated {
  /** The bytes. */
  readonly output: Uint8Array;
  /** How many bytes of the input it took, where that is known. */
  readonly read: number;
}

/** Code of the error for output that is longer than it may be. */
export const TOO_LONG = "ERR_BUFFER_TOO_LARGE";

/** The runtime cannot do it. */
export class Unavailable extends TypeError {}

interface ZlibResult {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

interface ZlibOptions {
  readonly info: true;
  readonly maxOutputLength?: number;
}

type Zlib =
  & Record<`${string}Sync`, (packed: Uint8Array, options: ZlibOptions) => ZlibResult>
  & Record<
    string,
    (packed: Uint8Array, options: ZlibOptions, done: (error: unknown, result: ZlibResult) => void) => void
  >;

const NAMES = { gzip: "gunzip", brotli: "brotliDecompress", zstd: "zstdDecompress" } as const;

/** Loaded when something is inflated: on Deno that takes some ms. */
function zlib(): Zlib | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  return process?.getBuiltinModule?.("node:zlib") as Zlib | undefined;
}

/**
 * Inflates, without taking more memory than the limit says.
 *
 * @param packed The input, and one byte more, which only an input that is not complete takes.
 * @param maxBytes Longest output.
 * @returns A step that fails with {@linkcode Unavailable} where the runtime cannot, with an error of the code
 * {@linkcode TOO_LONG} for more output, and with others for what is damaged.
 */
export function inflate(packed: Uint8Array, format: PackedFormat, maxBytes: number): Effect<Inflated> {
  const sync = () => {
    const call = zlib()?.[`${NAMES[format]}Sync`];
    if (!call) throw new Unavailable(`Cannot unpack ${format} synchronously: this runtime has no node:zlib for it`);
    return inflated(call(packed, optionsOf(maxBytes)));
  };
  const async = async () => {
    const call = zlib()?.[NAMES[format]];
    if (!call) return await inflateByStream(packed, format, maxBytes);
    // What is wrong with it ends the program otherwise (seen on Deno 2.9); of all formats it takes the least time.
    if (format === "zstd") return sync();
    const result = await new Promise<ZlibResult>((resolve, reject) =>
      call(packed, optionsOf(maxBytes), (error, result) => error ? reject(error) : resolve(result))
    );
    return inflated(result);
  };
  return { name: "inflate", sync, async };
}

/** {@linkcode inflate} by web standards, where the stream itself finds what is not complete or goes on after the end. */
export async function inflateByStream(packed: Uint8Array, format: string, maxBytes: number): Promise<Inflated> {
  const input = packed.slice(0, -1);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of new Blob([input]).stream().pipeThrough(inflating(format))) {
    length += chunk.length;
    // To leave the loop cancels the stream.
    if (length > maxBytes) throw Object.assign(new RangeError("it is too long"), { code: TOO_LONG });
    chunks.push(chunk);
  }
  return { output: new Uint8Array(await new Blob(chunks).arrayBuffer()), read: input.length };
}

function inflating(format: string): DecompressionStream {
  try {
    return new DecompressionStream(format as CompressionFormat);
  } catch (cause) {
    throw new Unavailable(`Cannot unpack ${format}: this runtime has nothing for it`, { cause });
  }
}

function optionsOf(maxBytes: number): ZlibOptions {
  // It wants one at least.
  return { info: true, ...(maxBytes === Infinity ? {} : { maxOutputLength: Math.max(maxBytes, 1) }) };
}

function inflated({ buffer, engine }: ZlibResult): Inflated {
  return { output: buffer, read: engine.bytesWritten };
}
