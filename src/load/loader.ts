// Loading by URL: recognizes unchanged files without reading them; leaves HTTP to http.ts. Knows no caching rules.

import { toHex } from "../bytes.ts";
import QuickLRU from "quick-lru";
import type { Context, Resolved, Storage } from "../context.ts";
import { perform, runAsync } from "../effect.ts";
import { compileEarly, lookup } from "../lookup.ts";
import type { Bytes } from "../platform/platform.ts";
import { receive, tooLong } from "../calls/streaming.ts";
import { hasUser, shown } from "../urls.ts";
import { checkOrCancel, HttpLoad, type HttpOptions, type Mode, unkept } from "./http.ts";
import { checkPins, pinsOf } from "./integrity.ts";
import { SharedLoad } from "./shared_load.ts";
import { Kept } from "./kept.ts";

/** Options of {@linkcode ModuleCache.load}. */
export interface LoadOptions {
  /**
   * Digests in the form of HTML's `integrity`, of which the code must have one. Stored code with one of them is used
   * without a request.
   *
   * @default {undefined} any code
   */
  integrity?: string;
  /**
   * How stored code of the URL is used, as in `fetch`:
   *
   * - `"default"`: as HTTP's caching rules say.
   * - `"no-store"`: not used, and nothing is stored.
   * - `"reload"`: not used; the response is stored.
   * - `"no-cache"`: used after asking the server whether it changed.
   * - `"force-cache"`: used however old it is.
   * - `"only-if-cached"`: used however old it is; without it, a `TypeError`.
   *
   * @default {"default"}
   */
  cache?: Mode;
  /**
   * Type that a response must have: `"wasm"` is `application/wasm`; `"any"` is for servers that do not know the type,
   * and for compressed code. With `integrity` every type is accepted. Files have no type.
   *
   * @default {"wasm"}
   */
  type?: "wasm" | "any";
  /** Ends the call, which then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** A file changed this shortly before it was read may change again under the same time, ms. */
const RECENT_MS = 2000;

const MODES: readonly unknown[] = ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"];

/** The loads of a cache. */
export class Loader<M> {
  readonly #context: Context<M>;
  readonly #kept: Kept;
  readonly #files = new QuickLRU<string, { identity: string; digest: string }>({ maxSize: 1000 });
  readonly #loads = new Map<string, SharedLoad<Resolved<M>>>();

  /** Touches nothing yet. */
  constructor(context: Context<M>) {
    this.#context = context;
    this.#kept = new Kept(context as unknown as Context<unknown>);
  }

  /** Loads; overlapping calls for the same URL and options share one load. */
  async load(
    url: string | URL,
    { integrity, cache = "default", signal, type = "wasm" }: LoadOptions,
  ): Promise<Resolved<M>> {
    // The runtimes' own errors repeat the URL, which may contain a password.
    if (!URL.canParse(url)) throw new TypeError("Cannot load what is no absolute URL");
    const target = new URL(url);
    const pins = pinsOf(integrity);
    checkChoice("cache", cache, MODES);
    checkChoice("type", type, ["wasm", "any"]);
    signal?.throwIfAborted();
    target.hash = "";
    const options = { pins, mode: cache, isAnyType: type === "any" || pins.length > 0 };
    const name = JSON.stringify([target.href, options]);
    const shared = this.#loads.get(name) ?? this.#begin(name, (signal) => this.#load(target, { ...options, signal }));
    return await shared.join(signal);
  }

  #begin(name: string, work: (signal: AbortSignal) => Promise<Resolved<M>>): SharedLoad<Resolved<M>> {
    const shared: SharedLoad<Resolved<M>> = new SharedLoad(work, () => {
      if (this.#loads.get(name) === shared) this.#loads.delete(name);
    });
    this.#loads.set(name, shared);
    return shared;
  }

  /** Removes everything stored about URLs and files. */
  async clear(storage: Storage | undefined): Promise<void> {
    this.#files.clear();
    await this.#kept.clear(storage);
  }

  async #load(url: URL, options: HttpOptions): Promise<Resolved<M>> {
    const { signal } = options;
    const { platform: { files } } = this.#context;
    if (url.protocol === "file:" && files) return await this.#loadFile(files.resolve(url), options);
    if (/^https?:$/.test(url.protocol)) {
      return await new HttpLoad(this.#context, this.#kept, options).load(url.href);
    }
    // The runtime's own errors repeat the user.
    if (hasUser(url.href)) throw new TypeError(`Cannot load ${shown(url.href)}: only http: and https: take a user`);
    const response = await fetch(url, { signal });
    await checkOrCancel(response, options);
    const { code } = await receive(this.#context, response, { act: "load", compiles: false });
    return (await this.#resolve(code, shown(url.href), options)).resolved;
  }

  async #loadFile(path: string, options: HttpOptions): Promise<Resolved<M>> {
    const { mode, pins } = options;
    const { maxCodeBytes, memory, platform: { files, now } } = this.#context;
    const identify = () => runAsync(perform(files!.identify(path)));
    const before = await identify();
    const known = this.#files.get(path);
    const mayUse = mode !== "no-store" && mode !== "reload" && known?.identity === before.identity;
    const slot = mayUse ? memory.get(known.digest) : undefined;
    if (slot) {
      await checkPins(slot, pins, path);
      return await runAsync(lookup(this.#context, slot.code, { digest: slot.digest }));
    }
    // A device or a pipe has no size, and perhaps no end.
    if (!before.isFile) throw new TypeError(`Cannot load ${path}: it is no file`);
    const code = before.size > maxCodeBytes ? undefined : await runAsync(perform(files!.readWhole(path)));
    // It may have grown meanwhile.
    if (!code || code.length > maxCodeBytes) throw tooLong(`Cannot load ${path}`, maxCodeBytes);
    const { digest, resolved } = await this.#resolve(code, path, options);
    const isOld = Math.abs(now() - before.modifiedMs) > RECENT_MS;
    const isSame = isOld && (await identify()).identity === before.identity;
    if (isSame) this.#files.set(path, { identity: before.identity, digest });
    else this.#files.delete(path);
    return resolved;
  }

  async #resolve(
    code: Bytes,
    name: string,
    { pins, mode }: HttpOptions,
  ): Promise<{ digest: string; resolved: Resolved<M> }> {
    const context = mode === "no-store" ? unkept(this.#context) : this.#context;
    // Nobody gets its module before the digest is known to be right.
    const compile = await runAsync(compileEarly(context, code));
    const codeDigest = await runAsync(perform(this.#context.platform.sha256(code)));
    const digest = toHex(codeDigest);
    await checkPins({ code, digest }, pins, name);
    return { digest, resolved: await runAsync(lookup(context, code, { received: { code, codeDigest, compile } })) };
  }
}

function checkChoice(name: string, value: unknown, choices: readonly unknown[]): void {
  if (choices.includes(value)) return;
  throw new TypeError(`Cannot use ${name} "${value}": it must be one of ${choices.join(", ")}`);
}
