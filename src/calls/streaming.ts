// Code that arrives as a response: checks the response, and compiles while it arrives if no artifact can save the
// compile. The only place where chunks of a body are copied.

import { copyOf, isUint8Array, lengthOf, viewOf } from "../bytes.ts";
import type { Context, Resolved } from "../context.ts";
import { immediate, perform, runAsync } from "../effect.ts";
import { keepsCode } from "../engine/calls.ts";
import { native } from "../engine/runtime.ts";
import { lookup, type Received } from "../lookup.ts";
import type { Bytes, Hasher, Platform } from "../platform/platform.ts";
import { hasUser, shown } from "../urls.ts";

/**
 * Looks up the code of a response.
 *
 * @throws {TypeError} When it is not a response, or not one of WebAssembly.
 * @throws What the body fails with, or the engine's own error when it refuses the code.
 */
export async function resolveStreaming<M>(
  context: Context<M>,
  source: Response | PromiseLike<Response>,
): Promise<Resolved<M>> {
  const response = await source;
  checkResponse(response);
  const { seenUrls } = context;
  // If it was compiled before, memory may have it: finding out takes all of the code.
  const isSeen = seenUrls.get(response.url) ?? false;
  const received = await receive(context, response, { act: "compile", compiles: !isSeen });
  const resolved = await runAsync(lookup(context, received.code, { received }));
  // Code that differs each time, or does not stay in memory, is compiled while it arrives.
  if (isName(response.url)) seenUrls.set(response.url, !isSeen || resolved.from === "memory");
  return resolved;
}

/** Whether a URL may be remembered: a `data:` URL is as long as the code, and a user part is a secret. */
export function isName(url: string): boolean {
  return URL.canParse(url) && !url.startsWith("data:") && !hasUser(url);
}

/**
 * Checks a response as the standard's streaming calls do.
 *
 * @param options `isAnyType`: the response need not say that it is WebAssembly.
 * @throws {TypeError} When it is not a response, not a success, of another type, or its body has been read.
 */
export function checkResponse(
  response: unknown,
  { isAnyType = false }: { isAnyType?: boolean } = {},
): asserts response is Response {
  if (!(response instanceof Response)) throw new TypeError("Cannot compile response: it is no Response");
  const { bodyUsed, ok, status } = response;
  const name = nameOf(response);
  if (!ok) throw new TypeError(`Cannot compile ${name}: its status is ${status}`);
  if (!isAnyType && !isOfWasmType(response)) {
    const type = response.headers.get("content-type");
    throw new TypeError(`Cannot compile ${name}: its type must be application/wasm, not ${type}`);
  }
  if (bodyUsed || response.body?.locked) throw new TypeError(`Cannot compile ${name}: its body has been read`);
}

/** Whether a response has the type of WebAssembly. */
export function isOfWasmType({ headers }: Response): boolean {
  return headers.get("content-type")?.replace(/^[\t ]+|[\t ]+$/g, "").toLowerCase() === "application/wasm";
}

function nameOf({ url }: Response): string {
  return url === "" ? "response" : `response of ${shown(url)}`;
}

/** How a response is received. */
export interface ReceiveOptions {
  /** What the caller does with it; for messages. */
  readonly act: "compile" | "load";
  /** Compiles while it arrives, if the engine can. */
  readonly compiles: boolean;
  /** Called if the sender's failure ends it. */
  readonly onBreak?: () => void;
}

/**
 * Receives code.
 *
 * @throws {RangeError} When it is longer than the cache allows. Reading stops there.
 * @throws What the body fails with, or the engine's own error when it refuses the code.
 */
export async function receive<M>(
  context: Context<M>,
  response: Response,
  options: ReceiveOptions,
): Promise<Received<M>> {
  const { engine, requireHit } = context;
  const passing = new Passing(response, context, options);
  if (!options.compiles || requireHit || !keepsCode(engine) || !engine.compileStreaming) {
    while (await passing.next());
    return await passing.received();
  }
  const headers = { "content-type": "application/wasm" };
  try {
    const module = await engine.compileStreaming(new Response(passing.stream(), { headers }));
    return { ...await passing.received(), compile: immediate("compile", () => module) };
  } catch (error) {
    // The engine may reject code that has not arrived in full.
    passing.cancel();
    // If it was ended here, the engine reports an error of its own for that.
    throw passing.failure ?? error;
  }
}

/** A body on its way through: converted, counted, hashed and collected. */
class Passing {
  readonly #platform: Platform;
  readonly #hasher: Hasher | undefined;
  readonly #reader: ReadableStreamDefaultReader<unknown> | undefined;
  readonly #maxBytes: number;
  readonly #onBreak: () => void;
  readonly #name: string;
  #code: Bytes;
  #length = 0;
  /** Why it was ended here. */
  failure: RangeError | undefined;

  constructor(
    response: Response,
    { maxCodeBytes, platform }: Pick<Context<unknown>, "maxCodeBytes" | "platform">,
    { act, onBreak = () => {} }: ReceiveOptions,
  ) {
    const { body, headers, url } = response;
    this.#onBreak = onBreak;
    this.#maxBytes = maxCodeBytes;
    this.#name = `Cannot ${act} ${url === "" ? "response" : shown(url)}`;
    const expected = Number(headers.get("content-length"));
    // Only network responses are held to their `content-length`; for an encoded body it is the length before decoding.
    if (url !== "" && expected > maxCodeBytes && !headers.has("content-encoding")) {
      body?.cancel().catch(() => {});
      throw tooLong(this.#name, maxCodeBytes);
    }
    // A server's claim of a length is no reason to allocate that much.
    this.#code = new Uint8Array(Math.min(Math.max(expected || 0, MIN_ROOM), MAX_ROOM, maxCodeBytes));
    this.#platform = platform;
    this.#hasher = platform.hasher(expected || 0);
    this.#reader = body?.getReader();
  }

  /** The body, for the compiler. */
  stream(): ReadableStream<Bytes> {
    return new ReadableStream({
      pull: async (controller) => {
        const chunk = await this.next();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
      cancel: () => this.cancel(),
    }, { highWaterMark: 0 });
  }

  /** The next chunk, copied: the sender may reuse its memory, and the compiler may change it. */
  async next(): Promise<Bytes | undefined> {
    try {
      const { done, value } = await this.#read();
      if (done) return undefined;
      const chunk = isUint8Array(value) && lengthOf(value) > 0 ? copyOf(value) : await checkedCopy(value);
      if (this.#length + chunk.length > this.#maxBytes) throw this.failure = tooLong(this.#name, this.#maxBytes);
      this.#hasher?.update(chunk);
      this.#keep(chunk);
      return chunk;
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  async #read(): Promise<{ done: boolean; value?: unknown }> {
    try {
      return await this.#reader?.read() ?? { done: true };
    } catch (error) {
      this.#onBreak();
      throw error;
    }
  }

  /** Cancels the rest. */
  cancel(): void {
    this.#reader?.cancel().catch(() => {});
  }

  async received(): Promise<Pick<Received<never>, "code" | "codeDigest">> {
    const isFull = this.#length === this.#code.length;
    const code = isFull ? this.#code : new Uint8Array(this.#code.buffer.transfer(this.#length));
    const codeDigest = this.#hasher?.digest() ?? (await runAsync(perform(this.#platform.sha256(code))));
    return { code, codeDigest };
  }

  #keep(chunk: Bytes): void {
    const length = this.#length + chunk.length;
    if (length > this.#code.length) {
      const room = Math.min(Math.max(length, 2 * this.#code.length), this.#maxBytes);
      this.#code = new Uint8Array(this.#code.buffer.transfer(room));
    }
    this.#code.set(chunk, this.#length);
    this.#length = length;
  }
}

/** Memory allocated before any code arrives, bytes: least and most. */
const [MIN_ROOM, MAX_ROOM] = [64 * 1024, 64 * 1024 * 1024];

/** The error for code that is longer than the cache allows. */
export function tooLong(cannot: string, maxCodeBytes: number): RangeError {
  return new RangeError(`${cannot}: it has more than ${maxCodeBytes} bytes`);
}

/**
 * Asks the runtime whether it accepts a chunk: Deno takes no view but Uint8Array, Node and Bun take all, and Bun a
 * SharedArrayBuffer; one that was transferred away is empty for Deno and Node (seen on Deno 2.9, Bun 1.4, Node 22 to
 * 26).
 *
 * @throws The runtime's own error for a chunk that it rejects.
 */
async function checkedCopy(chunk: unknown): Promise<Bytes> {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(chunk);
      controller.close();
    },
  });
  const response = new Response(body, { headers: { "content-type": "application/wasm" } });
  try {
    await (native.compileStreaming?.(response) ?? response.arrayBuffer());
  } catch (error) {
    // A part of a module does not compile: so the chunk was accepted.
    if (!(error instanceof native.CompileError)) throw error;
  }
  try {
    return copyOf(viewOf(chunk));
  } catch {
    // It was transferred away, and accepted as empty.
    return new Uint8Array();
  }
}
