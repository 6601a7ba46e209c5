// Inflates with what the runtime has: `node:zlib` on Deno, Bun and Node, also synchronously; otherwise the web's
// streams. Reports how far it read, and does not judge it.

import type { Effect } from "../effect.ts";

/** A format that can be inflated. */
export type PackedFormat = "gzip" | "brotli" | "zstd";

/** Result of inflating. */
export interface Inflated {
  /** The bytes. */
  readonly output: Uint8Array;
  /** Bytes of the input that were consumed. */
  readonly read: number;
}

/** Code of the error for output that is too long. */
export const TOO_LONG = "ERR_BUFFER_TOO_LARGE";

/** Thrown if the runtime cannot inflate a format. */
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

/** Loaded on first use: on Deno that takes some ms. */
function zlib(): Zlib | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  return process?.getBuiltinModule?.("node:zlib") as Zlib | undefined;
}

/**
 * Inflates, using no more memory than the limit allows.
 *
 * @param packed The input plus one byte, which only incomplete input consumes.
 * @param maxBytes Longest output.
 * @returns A step that fails with {@linkcode Unavailable} if the runtime cannot, with an error of the code
 * {@linkcode TOO_LONG} if there is more output, and with other errors if the input is damaged.
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
    // Damage ends the program otherwise (seen on Deno 2.9); and zstd is the fastest format.
    if (format === "zstd") return sync();
    const result = await new Promise<ZlibResult>((resolve, reject) =>
      call(packed, optionsOf(maxBytes), (error, result) => error ? reject(error) : resolve(result))
    );
    return inflated(result);
  };
  return { name: "inflate", sync, async };
}

/** {@linkcode inflate} by web standards. The stream itself rejects incomplete input and trailing bytes. */
export async function inflateByStream(packed: Uint8Array, format: string, maxBytes: number): Promise<Inflated> {
  const input = packed.slice(0, -1);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of new Blob([input]).stream().pipeThrough(inflating(format))) {
    length += chunk.length;
    // Leaving the loop cancels the stream.
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
  // zlib requires at least 1.
  return { info: true, ...(maxBytes === Infinity ? {} : { maxOutputLength: Math.max(maxBytes, 1) }) };
}

function inflated({ buffer, engine }: ZlibResult): Inflated {
  return { output: buffer, read: engine.bytesWritten };
}
