// Loading by URL: files that did not change are known by what the system says of them, what comes by HTTP as HTTP says.

import type { Context, Storage } from "../context.ts";
import { perform, runAsync } from "../effect.ts";
import { lookup } from "../lookup.ts";
import type { Bytes } from "../platform/platform.ts";
import { checkResponse, receive } from "../streaming.ts";
import { HttpLoad, type Mode } from "./http.ts";
import { checkPins, type Pin, pinsOf } from "./integrity.ts";
import { Joint } from "./joint.ts";
import { Shelf } from "./shelf.ts";

/** Options of {@linkcode ModuleCache.load}. */
export interface LoadOptions {
  /**
   * What the code must be: digests as in HTML's `integrity`. With one, code that is kept is used without asking anybody.
   *
   * @default {undefined} whatever comes
   */
  integrity?: string;
  /**
   * How what is kept is used, as in `fetch`: `"default"` as HTTP says, `"no-store"` not at all, `"reload"` not, but what
   * comes is kept, `"no-cache"` after asking whether it changed, `"force-cache"` however old it is,
   * `"only-if-cached"` the same, and nothing else.
   *
   * @default {"default"}
   */
  cache?: Mode;
  /** Ends the call; it rejects with the signal's reason then. */
  signal?: AbortSignal;
}

/** Files changed so shortly before they were read may change again without another time, ms. */
const RECENT_MS = 2000;

const MODES: readonly unknown[] = ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"];

/** The loads of a cache. */
export class Loader<M> {
  readonly #context: Context<M>;
  readonly #shelf: Shelf;
  readonly #files = new Map<string, { identity: string; digest: string }>();
  readonly #joints = new Map<string, Joint<M>>();

  /** Touches nothing yet. */
  constructor(context: Context<M>) {
    this.#context = context;
    this.#shelf = new Shelf(context as unknown as Context<unknown>);
  }

  /** Loads; calls for the same that overlap share one. */
  async load(url: string | URL, { integrity, cache = "default", signal }: LoadOptions): Promise<M> {
    const target = new URL(url);
    const pins = pinsOf(integrity);
    if (!MODES.includes(cache)) {
      throw new TypeError(`Cannot use cache "${cache}": it must be one of ${MODES.join(", ")}`);
    }
    signal?.throwIfAborted();
    target.hash = "";
    const name = JSON.stringify([target.href, cache, pins]);
    let joint = this.#joints.get(name);
    if (!joint || joint.isAborted) {
      joint = new Joint((signal) => this.#load(target, pins, cache, signal));
      this.#joints.set(name, joint);
    }
    try {
      return await joint.join(signal);
    } finally {
      if (this.#joints.get(name) === joint) this.#joints.delete(name);
    }
  }

  /** Forgets where code came from. */
  async clear(storage: Storage | undefined): Promise<void> {
    this.#files.clear();
    await this.#shelf.clear(storage);
  }

  async #load(url: URL, pins: readonly Pin[], mode: Mode, signal: AbortSignal): Promise<M> {
    const { platform: { files } } = this.#context;
    if (url.protocol === "file:" && files) return await this.#loadFile(files.resolve(url), pins, mode);
    if (/^https?:$/.test(url.protocol)) {
      return await new HttpLoad(this.#context, this.#shelf, { pins, mode, signal }).load(url.href);
    }
    const response = await fetch(url, { signal });
    checkResponse(response);
    return await this.#resolve((await receive(this.#context, response, { compiles: false })).code, pins, url.href);
  }

  async #loadFile(path: string, pins: readonly Pin[], mode: Mode): Promise<M> {
    const { memory, platform: { files, now } } = this.#context;
    const before = await runAsync(perform(files!.identify(path)));
    const known = this.#files.get(path);
    const mayUse = !["no-store", "reload"].includes(mode) && known?.identity === before.identity;
    // The code has been checked against no pin: with one, it is read.
    if (mayUse && pins.length === 0 && memory.get(known.digest)) return await this.#find(known.digest);
    const code = await runAsync(perform(files!.readWhole(path)));
    const module = await this.#resolve(code, pins, path);
    const slot = memory.find(code);
    const after = await runAsync(perform(files!.identify(path)));
    const isOld = Math.abs(now() - before.modifiedMs) > RECENT_MS;
    if (slot && isOld && after.identity === before.identity) {
      this.#files.set(path, { identity: before.identity, digest: slot.digest });
    } else this.#files.delete(path);
    return module;
  }

  async #find(digest: string): Promise<M> {
    return (await runAsync(lookup(this.#context, new Uint8Array(), { digest }))).module;
  }

  async #resolve(code: Bytes, pins: readonly Pin[], name: string): Promise<M> {
    await checkPins(code, pins, name);
    const codeDigest = await runAsync(perform(this.#context.platform.sha256(code)));
    return (await runAsync(lookup(this.#context, code, { received: { code, codeDigest } }))).module;
  }
}
