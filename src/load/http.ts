// One load by HTTP: stored code if HTTP allows it, otherwise the network. Redirects are followed by hand, because each
// has caching rules of its own.

import { toHex } from "../bytes.ts";
import type { Context, Resolved } from "../context.ts";
import { runAsync } from "../effect.ts";
import { CacheError } from "../errors.ts";
import { type Known, lookup } from "../lookup.ts";
import type { Bytes } from "../platform/platform.ts";
import { checkResponse, isOfWasmType, receive } from "../calls/streaming.ts";
import { checkPins, type Pin, pinOf, sha256Of } from "./integrity.ts";
import { isBetterThan, isFresh, policyOf, REQUEST, revalidated, revalidationHeaders } from "./policy.ts";
import { isPublic, type Kept, type Note } from "./kept.ts";
import { hasUser, shown, splitUser, type WithoutUser } from "../urls.ts";

/** fetch's `RequestCache`. */
export type Mode = "default" | "no-store" | "reload" | "no-cache" | "force-cache" | "only-if-cached";

/** Options of a load. */
export interface HttpOptions {
  /** Digests of which the code must have one. */
  readonly pins: readonly Pin[];
  /** How stored code is used. */
  readonly mode: Mode;
  /** Every type of response is accepted. */
  readonly isAnyType: boolean;
  /** Ends the load. */
  readonly signal: AbortSignal;
}

/** As many redirects as `fetch` follows. */
const MAX_REDIRECTS = 20;

const REDIRECTS = [301, 302, 303, 307, 308];

/** A load. */
export class HttpLoad<M> {
  readonly #context: Context<M>;
  readonly #kept: Kept;
  readonly #options: HttpOptions;
  #redirects = 0;
  /** The server failed in the middle of a body. */
  #isBroken = false;

  /** Touches nothing yet. */
  constructor(context: Context<M>, kept: Kept, options: HttpOptions) {
    this.#context = context;
    this.#kept = kept;
    this.#options = options;
  }

  /** Loads. */
  async load(url: string): Promise<Resolved<M>> {
    const { mode, pins } = this.#options;
    for (const pin of ["default", "force-cache", "only-if-cached"].includes(mode) ? pins : []) {
      const digest = sha256Of(pin) ?? (await this.#kept.note(nameOf(pin)))?.digest;
      const found = digest && await this.#find({ digest });
      if (found) return await found();
    }
    return await this.#follow(url);
  }

  async #follow(url: string): Promise<Resolved<M>> {
    const { isAnyType, mode } = this.#options;
    const mayLook = !["no-store", "reload"].includes(mode) && !hasUser(url);
    const note = mayLook ? await this.#kept.note(url) : undefined;
    const kept = note && (isAnyType || !note.isOther) ? await this.#find(note) : undefined;
    if (kept && await this.#mayUse(note!)) return await kept();
    if (mode === "only-if-cached") {
      throw new TypeError(`Cannot load ${shown(url)}: it is not kept, and cache is "${mode}"`);
    }
    return kept && note!.policy ? await this.#ask(url, note!, kept) : await this.#take(url, await this.#fetch(url));
  }

  async #mayUse({ policy }: Note): Promise<boolean> {
    const { mode } = this.#options;
    if (mode === "force-cache" || mode === "only-if-cached") return true;
    return mode === "default" && policy !== undefined && await isFresh(policy, this.#context.platform.now);
  }

  /** Finds what a note refers to; `undefined` if it is gone, or does not match the pins. */
  async #find({ digest, location }: Note): Promise<(() => Promise<Resolved<M>>) | undefined> {
    if (location !== undefined) return () => this.#redirect(location);
    if (digest === undefined) return undefined;
    const slot = this.#context.memory.get(digest);
    const received = slot ? undefined : await this.#kept.code(digest);
    const code = slot?.code ?? received?.code;
    const { pins } = this.#options;
    if (!code || (pins.length > 0 && !(await pinOf({ code, digest }, pins)))) return undefined;
    return () => this.#resolve(code, received ? { received } : { digest });
  }

  async #redirect(location: string): Promise<Resolved<M>> {
    if (++this.#redirects > MAX_REDIRECTS) throw new TypeError(`Cannot load ${shown(location)}: too many redirects`);
    return await this.#follow(location);
  }

  /** Asks the server whether stored code has changed. Uses it if it has not, or if the server gives no answer. */
  async #ask(url: string, note: Note, kept: () => Promise<Resolved<M>>): Promise<Resolved<M>> {
    const policy = note.policy!;
    const { now } = this.#context.platform;
    const isBetter = async (status?: number) =>
      this.#options.mode === "default" && await isBetterThan(status, policy, now);
    let response;
    try {
      response = await this.#fetch(url, await revalidationHeaders(policy));
      // A 304 that matches nothing stored says nothing.
      if (response.status === 304 && !(await revalidated(policy, response, now)).isSame) {
        response = await this.#fetch(url);
      }
    } catch (error) {
      if (this.#options.signal.aborted || !(await isBetter())) throw error;
      return await this.#useStale(url, kept, error);
    }
    if (await isBetter(response.status)) {
      await response.body?.cancel();
      return await this.#useStale(url, kept, new Error(`the server answered ${response.status}`));
    }
    try {
      if (response.status !== 304) return await this.#take(url, response);
    } catch (error) {
      if (!this.#isBroken || this.#options.signal.aborted || !(await isBetter())) throw error;
      return await this.#useStale(url, kept, error);
    }
    const resolved = await kept();
    await this.#kept.keepNote(url, { ...note, policy: (await revalidated(policy, response, now)).policy });
    return resolved;
  }

  async #useStale(url: string, kept: () => Promise<Resolved<M>>, cause: unknown): Promise<Resolved<M>> {
    this.#context.report(new CacheError("NETWORK", `Cannot fetch ${shown(url)}; what is kept is used`, { cause }));
    return await kept();
  }

  async #fetch(url: string, headers: Record<string, string> = REQUEST.headers): Promise<Response> {
    const { href, authorization } = withoutUser(url);
    const { signal } = this.#options;
    return await fetch(href, { headers: { ...headers, ...authorization }, redirect: "manual", signal });
  }

  async #take(url: string, response: Response): Promise<Resolved<M>> {
    const mayKeep = this.#options.mode !== "no-store" && !hasUser(url);
    const policy = mayKeep ? await policyOf(response, this.#context.platform.now) : undefined;
    if (!REDIRECTS.includes(response.status)) {
      await checkOrCancel(response, this.#options);
      return await this.#receive(url, response, policy);
    }
    await response.body?.cancel();
    const given = response.headers.get("location");
    const location = given !== null && URL.canParse(given, url) ? new URL(given, url) : undefined;
    if (!location || !/^https?:$/.test(location.protocol)) {
      throw new TypeError(`Cannot load ${shown(url)}: it redirects to ${given === null ? "nowhere" : shown(given)}`);
    }
    location.hash = "";
    const resolved = await this.#redirect(location.href);
    if (policy && isPublic(location)) await this.#kept.keepNote(url, { location: location.href, policy });
    return resolved;
  }

  async #receive(url: string, response: Response, policy: Note["policy"]): Promise<Resolved<M>> {
    const received = await receive(this.#context, response, {
      act: "load",
      compiles: true,
      onBreak: () => this.#isBroken = true,
    });
    const { code, codeDigest } = received;
    const digest = toHex(codeDigest);
    const pin = await checkPins({ code, digest }, this.#options.pins, shown(url));
    // Pinned code does not change, whatever the server says.
    const isKept = policy !== undefined || (pin !== undefined && this.#options.mode !== "no-store");
    const resolved = await this.#resolve(code, { received }, isKept);
    if (!isKept) return resolved;
    await this.#kept.keepCode(code, codeDigest);
    if (policy) await this.#kept.keepNote(url, { digest, policy, isOther: !isOfWasmType(response) });
    if (pin && !sha256Of(pin)) await this.#kept.keepNote(nameOf(pin), { digest });
    return resolved;
  }

  async #resolve(code: Bytes, known: Known<M>, isKept = true): Promise<Resolved<M>> {
    const context = isKept ? this.#context : unkept(this.#context);
    return await runAsync(lookup(context, code, known));
  }
}

/** The same cache, but it writes no entry, and has none put to the remote. */
export function unkept<M>(context: Context<M>): Context<M> {
  return { ...context, storage: "it is not to be kept", remote: undefined };
}

/**
 * Splits a user from a URL as `fetch` does where it accepts one: errors and responses repeat the URL, which must not
 * contain it.
 *
 * @throws {TypeError} When `fetch` accepts none, as on Node.
 */
function withoutUser(url: string): WithoutUser {
  if (!hasUser(url)) return { href: url };
  try {
    new Request(url);
  } catch {
    throw new TypeError(`Cannot load ${shown(url)}: this runtime's fetch takes no user or password in a URL`);
  }
  return splitUser(url);
}

/** {@linkcode checkResponse}; cancels the body of a response that fails it. */
export async function checkOrCancel(response: Response, options: { isAnyType: boolean }): Promise<void> {
  try {
    checkResponse(response, options);
  } catch (error) {
    await response.body?.cancel();
    throw error;
  }
}

function nameOf({ algorithm, digest }: Pin): string {
  return `${algorithm} ${digest}`;
}
