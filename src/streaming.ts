// Code that comes as a response: checks it, and compiles it while it arrives where no artifact can save the compile.

import type { Context, Resolved } from "./context.ts";
import { type Effect, immediate, runAsync } from "./effect.ts";
import { keepsCode } from "./engine/calls.ts";
import { lookup } from "./lookup.ts";
import type { Bytes, Platform } from "./platform/platform.ts";

/** What came through a response. */
export interface Received<M> {
  /** The code. */
  readonly code: Bytes;
  /** SHA-256 of the code. */
  readonly codeDigest: Bytes;
  /** Gives the module, where it was compiled on the way. */
  readonly compile?: Effect<M>;
}

/**
 * Looks up the code of a response.
 *
 * @throws {TypeError} When it is no response, or not one of WebAssembly.
 * @throws What the body fails with, or the engine's own error when it refuses the code.
 */
export async function resolveStreaming<M>(
  context: Context<M>,
  source: Response | PromiseLike<Response>,
): Promise<Resolved<M>> {
  const response = await source;
  checkResponse(response);
  const { seenUrls } = context;
  // What was compiled before may be in memory: to know that takes all of the code.
  const isSeen = seenUrls.get(response.url) ?? false;
  const received = await receive(context, response, { compiles: !isSeen });
  const resolved = await runAsync(lookup(context, received.code, { received }));
  // Code that is another each time, or does not stay in memory, is compiled while it arrives.
  if (response.url !== "") seenUrls.set(response.url, !isSeen || resolved.from === "memory");
  return resolved;
}

/**
 * Checks what the standard's streaming calls check.
 *
 * @throws {TypeError} When it is no response, a failed one, one of another type, or its body has been read.
 */
export function checkResponse(response: unknown): asserts response is Response {
  if (!(response instanceof Response)) throw new TypeError("Cannot compile response: it is no Response");
  const { bodyUsed, headers, ok, status, url } = response;
  const name = url === "" ? "response" : `response of ${url}`;
  if (!ok) throw new TypeError(`Cannot compile ${name}: its status is ${status}`);
  const type = headers.get("content-type");
  if (type?.replace(/^[\t ]+|[\t ]+$/g, "").toLowerCase() !== "application/wasm") {
    throw new TypeError(`Cannot compile ${name}: its type must be application/wasm, not ${type}`);
  }
  if (bodyUsed || response.body?.locked) throw new TypeError(`Cannot compile ${name}: its body has been read`);
}

/**
 * Receives code.
 *
 * @param options `compiles`: compiles on the way, where the engine can.
 * @throws What the body fails with, or the engine's own error when it refuses the code.
 */
export async function receive<M>(
  { engine, platform }: Pick<Context<M>, "engine" | "platform">,
  response: Response,
  { compiles }: { compiles: boolean },
): Promise<Received<M>> {
  const passing = new Passing(response, platform);
  if (!compiles || !keepsCode(engine) || !engine.compileStreaming) {
    await passing.stream.pipeTo(new WritableStream());
    return await passing.received();
  }
  const headers = { "content-type": "application/wasm" };
  try {
    const module = await engine.compileStreaming(new Response(passing.stream, { headers }));
    return { ...await passing.received(), compile: immediate("compile", () => module) };
  } catch (error) {
    // Code that is refused need not have arrived in full.
    passing.cancel();
    throw error;
  }
}

/** A body on its way through: counted, hashed and kept. */
class Passing {
  /** The body, for whoever compiles it; in copies of its chunks, for their sender may use the memory again. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly #hasher;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #code: Bytes;
  #length = 0;

  constructor(response: Response, platform: Platform) {
    const expected = Number(response.headers.get("content-length"));
    // What a server says of the length is no reason to take memory for it.
    this.#code = new Uint8Array(Math.min(Math.max(expected || 0, MIN_ROOM), MAX_ROOM));
    this.#hasher = platform.hasher();
    this.#reader = response.body?.getReader();
    this.stream = new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await this.#reader?.read() ?? { done: true };
        if (done) return controller.close();
        const chunk = value!.slice();
        this.#hasher.update(chunk);
        this.#keep(chunk);
        controller.enqueue(chunk);
      },
      cancel: () => this.cancel(),
    }, { highWaterMark: 0 });
  }

  /** Lets the rest go. */
  cancel(): void {
    this.#reader?.cancel().catch(() => {});
  }

  async received(): Promise<Pick<Received<never>, "code" | "codeDigest">> {
    const isFull = this.#length === this.#code.length;
    const code = isFull ? this.#code : this.#code.slice(0, this.#length);
    return { code, codeDigest: await this.#hasher.digest(code) };
  }

  #keep(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#code.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#code.length));
      larger.set(this.#code.subarray(0, this.#length));
      this.#code = larger;
    }
    this.#code.set(chunk, this.#length);
    this.#length = length;
  }
}

/** Room for code before any of it has come, bytes. */
const [MIN_ROOM, MAX_ROOM] = [64 * 1024, 64 * 1024 * 1024];
