// A remote tier on any server that stores files by GET and PUT.

import { join, textOf } from "../bytes.ts";
import type { Bytes } from "../platform/platform.ts";
import { shown, splitUser } from "../urls.ts";
import type { RemoteOptions, RemoteTier } from "./tier.ts";

/** Options of {@linkcode httpRemote}. */
export interface HttpRemoteOptions {
  /**
   * Headers of every request, such as `authorization`.
   *
   * @default {undefined} none
   */
  headers?: HeadersInit;
  /**
   * Signs each request: what it returns is sent instead. For S3 and what is compatible with it, the `sign` method of an
   * `AwsClient` of aws4fetch.
   *
   * @default {undefined} requests are sent as they are
   */
  sign?: (request: Request) => Request | Promise<Request>;
}

/**
 * Creates a remote tier that stores each entry as `<url>/<key>`, by GET, PUT, HEAD and DELETE.
 *
 * Of the answers, 404 and 410 mean that there is no entry, every success that the call is done, and all others that it
 * failed. Redirects are followed as `fetch` does. Messages contain neither user nor query of the URL.
 *
 * @param url Where the entries are, `http:` or `https:`. A user and a password in it are sent as basic authentication; a
 * query is sent with every request.
 * @throws {TypeError} When the URL is none, or not one of HTTP.
 *
 * @example A server that machines share
 * ```ts
 * import { httpRemote } from "@wasm/module-cache/remote/http";
 *
 * const remote = httpRemote("https://cache.example/wasm", { headers: { authorization: "Bearer token" } });
 * console.log(typeof remote.get); // "function"
 * ```
 */
export function httpRemote(url: string | URL, { headers, sign }: HttpRemoteOptions = {}): Required<RemoteTier> {
  // The runtime's own error repeats the URL, which may contain a password.
  if (!URL.canParse(url)) throw new TypeError("Cannot use remote: its URL is no absolute URL");
  const base = new URL(url);
  if (!/^https?:$/.test(base.protocol)) {
    throw new TypeError(`Cannot use remote: its URL must be one of http: or https:, not ${base.protocol}`);
  }
  if (sign !== undefined && typeof sign !== "function") {
    throw new TypeError("Cannot use remote: sign must be a function");
  }
  const { href, authorization } = splitUser(base.href);
  const common = new Headers({ ...authorization, ...Object.fromEntries(headersOf(headers)) });
  const call = async (method: string, key: string, { signal }: RemoteOptions, body?: Bytes) => {
    const target = new URL(href);
    target.pathname = `${target.pathname.replace(/\/$/, "")}/${key}`;
    const headers = new Headers(common);
    if (body && !headers.has("content-type")) headers.set("content-type", "application/octet-stream");
    const request = new Request(target, { method, headers, body });
    const send = async () => await fetch(sign ? await sign(request) : request, { signal });
    return await answerTo(method, target, send(), signal);
  };
  return {
    get: async (key, { signal, maxBytes = Infinity }) => {
      const response = await call("GET", key, { signal });
      try {
        return response && await bytesOf(response, maxBytes);
      } catch (cause) {
        if (signal.aborted) throw cause;
        throw new Error(`GET ${shown(href)}: ${whyOf(cause)}`);
      }
    },
    put: async (key, entry, { signal }) => {
      const response = await call("PUT", key, { signal }, entry);
      if (!response) throw new Error(`PUT ${shown(href)}: there is no such place`);
      await response.body?.cancel();
    },
    has: async (key, { signal }) => await call("HEAD", key, { signal }) !== undefined,
    delete: async (key, { signal }) => await (await call("DELETE", key, { signal }))?.body?.cancel(),
  };
}

/** Waits for an answer; `undefined` if it says that there is nothing. */
async function answerTo(
  method: string,
  url: URL,
  answer: Promise<Response>,
  signal: AbortSignal,
): Promise<Response | undefined> {
  let response;
  try {
    response = await answer;
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new Error(`${method} ${shown(url.href)}: no answer: ${whyOf(cause)}`);
  }
  const { ok, redirected, status } = response;
  // A redirect may have made a GET of it, which stores nothing.
  const isDone = ok && (method !== "PUT" || !redirected) && (method !== "GET" || status === 200);
  if (isDone) return response;
  await response.body?.cancel();
  if (status === 404 || status === 410) return undefined;
  throw new Error(`${method} ${shown(url.href)}: the server answered ${status}`);
}

/** Why there was no answer or no body, in the runtime's words, which may repeat the URL. */
function whyOf(error: unknown): string {
  const { cause } = Object(error);
  const why = cause === undefined ? textOf(error) : `${textOf(error)}: ${textOf(cause)}`;
  return why.replace(/https?:[^\s"')]+/g, shown);
}

/** Reads a body, up to a length. */
async function bytesOf(response: Response, maxBytes: number): Promise<Bytes> {
  const { body, headers } = response;
  const length = headers.has("content-encoding") ? null : headers.get("content-length");
  if (length !== null && Number(length) <= maxBytes) return new Uint8Array(await response.arrayBuffer());
  if (length !== null) {
    await body?.cancel();
    throw tooLong(maxBytes);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    // Leaving the loop cancels the body.
    if (size > maxBytes) throw tooLong(maxBytes);
    chunks.push(chunk);
  }
  return join(...chunks);
}

function tooLong(maxBytes: number): Error {
  return new Error(`the entry has more than ${maxBytes} bytes`);
}

/** Headers; the runtimes' own errors repeat a value, which may be a token. */
function headersOf(headers: HeadersInit | undefined): Headers {
  try {
    return new Headers(headers);
  } catch {
    throw new TypeError("Cannot use remote: its headers are invalid");
  }
}
