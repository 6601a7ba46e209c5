// One load by HTTP: what is kept where HTTP allows it, else the network; redirects are followed by hand, for each has
// rules of its own.

import type { Context } from "../context.ts";
import { runAsync } from "../effect.ts";
import { CacheError } from "../errors.ts";
import { type Known, lookup } from "../lookup.ts";
import { toHex } from "../key.ts";
import type { Bytes } from "../platform/platform.ts";
import { checkResponse, receive } from "../streaming.ts";
import { checkPins, type Pin, sha256Of } from "./integrity.ts";
import { isFresh, policyOf, REQUEST, revalidated, revalidationHeaders } from "./policy.ts";
import type { Note, Shelf } from "./shelf.ts";

/** fetch's `RequestCache`. */
export type Mode = "default" | "no-store" | "reload" | "no-cache" | "force-cache" | "only-if-cached";

/** What is asked for. */
export interface HttpOptions {
  /** Digests of which the code must have one. */
  readonly pins: readonly Pin[];
  /** How what is kept is used. */
  readonly mode: Mode;
  /** Ends the load. */
  readonly signal: AbortSignal;
}

/** As many redirects as `fetch` follows. */
const MAX_REDIRECTS = 20;

const REDIRECTS = [301, 302, 303, 307, 308];

/** A load. */
export class HttpLoad<M> {
  readonly #context: Context<M>;
  readonly #shelf: Shelf;
  readonly #options: HttpOptions;
  #redirects = 0;

  /** Touches nothing yet. */
  constructor(context: Context<M>, shelf: Shelf, options: HttpOptions) {
    this.#context = context;
    this.#shelf = shelf;
    this.#options = options;
  }

  /** Loads. */
  async load(url: string): Promise<M> {
    const { mode, pins } = this.#options;
    for (const pin of ["default", "force-cache", "only-if-cached"].includes(mode) ? pins : []) {
      const digest = sha256Of(pin) ?? (await this.#shelf.note(nameOf(pin)))?.digest;
      const module = digest && await this.#kept({ digest });
      if (module) return module;
    }
    return await this.#follow(url);
  }

  async #follow(url: string): Promise<M> {
    const { mode } = this.#options;
    const note = ["no-store", "reload"].includes(mode) ? undefined : await this.#shelf.note(url);
    if (note && await this.#mayUse(note)) {
      const module = await this.#kept(note);
      if (module) return module;
    }
    if (mode === "only-if-cached") throw new TypeError(`Cannot load ${url}: it is not kept, and cache is "${mode}"`);
    return await this.#ask(url, note);
  }

  async #mayUse({ policy }: Note): Promise<boolean> {
    const { mode } = this.#options;
    if (mode === "force-cache" || mode === "only-if-cached") return true;
    return mode === "default" && policy !== undefined && await isFresh(policy);
  }

  /** What a note leads to; `undefined` where that is not there any more. */
  async #kept({ digest, location }: Note): Promise<M | undefined> {
    if (location !== undefined) return await this.#redirect(location);
    if (digest === undefined) return undefined;
    const { memory } = this.#context;
    const received = memory.get(digest) ? undefined : await this.#shelf.code(digest);
    if (!received && !memory.get(digest)) return undefined;
    return await this.#resolve(received?.code ?? new Uint8Array(), received ? { received } : { digest });
  }

  async #redirect(location: string): Promise<M> {
    if (++this.#redirects > MAX_REDIRECTS) throw new TypeError(`Cannot load ${location}: too many redirects`);
    return await this.#follow(location);
  }

  /** Asks the network, with what is kept as the answer where that did not change, or nobody answers. */
  async #ask(url: string, note?: Note): Promise<M> {
    const { policy } = note ?? {};
    let response;
    try {
      response = await this.#fetch(url, policy && await revalidationHeaders(policy));
    } catch (error) {
      if (this.#options.signal.aborted || !note) throw error;
      const module = await this.#kept(note);
      if (!module) throw error;
      this.#context.report(
        new CacheError("NETWORK", `Cannot load ${url}: nobody answered; what is kept is used`, { cause: error }),
      );
      return module;
    }
    if (response.status !== 304 || !policy) return await this.#take(url, response);
    const { isSame, policy: newPolicy } = await revalidated(policy, response);
    const module = isSame ? await this.#kept(note!) : undefined;
    if (!module) return await this.#take(url, await this.#fetch(url));
    await this.#shelf.keepNote(url, { ...note, policy: newPolicy });
    return module;
  }

  #fetch(url: string, headers: Record<string, string> = REQUEST.headers): Promise<Response> {
    return fetch(url, { headers, redirect: "manual", signal: this.#options.signal });
  }

  async #take(url: string, response: Response): Promise<M> {
    const isRedirect = REDIRECTS.includes(response.status);
    const policy = this.#options.mode === "no-store" ? undefined : await policyOf(response);
    try {
      if (!isRedirect) checkResponse(response);
    } catch (error) {
      await response.body?.cancel();
      throw error;
    }
    if (!isRedirect) return await this.#receive(url, response, policy);
    await response.body?.cancel();
    const location = new URL(response.headers.get("location") ?? "", url);
    if (!response.headers.has("location") || !/^https?:$/.test(location.protocol)) {
      throw new TypeError(`Cannot load ${url}: it redirects to ${response.headers.get("location")}`);
    }
    location.hash = "";
    const module = await this.#redirect(location.href);
    if (policy) await this.#shelf.keepNote(url, { location: location.href, policy });
    return module;
  }

  async #receive(url: string, response: Response, policy: Note["policy"]): Promise<M> {
    const received = await receive(this.#context, response, { compiles: true });
    const { code, codeDigest } = received;
    const pin = await checkPins(code, this.#options.pins, url);
    if (!policy) return await this.#resolve(code, { received }, { isKept: false });
    const module = await this.#resolve(code, { received });
    const digest = toHex(codeDigest);
    await this.#shelf.keepCode(code, codeDigest);
    await this.#shelf.keepNote(url, { digest, policy });
    if (pin && !sha256Of(pin)) await this.#shelf.keepNote(nameOf(pin), { digest });
    return module;
  }

  /** @param options `isKept`: an entry may be written. */
  async #resolve(code: Bytes, known: Known<M>, { isKept = true } = {}): Promise<M> {
    const context = isKept ? this.#context : { ...this.#context, storage: "it is not to be kept" };
    return (await runAsync(lookup(context, code, known))).module;
  }
}

function nameOf({ algorithm, digest }: Pin): string {
  return `${algorithm} ${digest}`;
}
