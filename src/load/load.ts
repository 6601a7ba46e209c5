// Loading by URL: files that did not change are known by what the system says of them, what comes by HTTP as HTTP says.

import type { Context, Storage } from "../context.ts";
import { perform, runAsync } from "../effect.ts";
import { toHex } from "../key.ts";
import { lookup } from "../lookup.ts";
import type { Bytes } from "../platform/platform.ts";
import { receive } from "../streaming.ts";
import { checkOrCancel, HttpLoad, type Mode, unkept } from "./http.ts";
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
   * How what is kept of a URL is used, as in `fetch`: `"default"` as HTTP says, `"no-store"` not at all, `"reload"` not, but what
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
    const joint = this.#joints.get(name) ?? this.#begin(name, (signal) => this.#load(target, pins, cache, signal));
    return await joint.join(signal);
  }

  #begin(name: string, work: (signal: AbortSignal) => Promise<M>): Joint<M> {
    const joint: Joint<M> = new Joint(work, () => {
      if (this.#joints.get(name) === joint) this.#joints.delete(name);
    });
    this.#joints.set(name, joint);
    return joint;
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
    await checkOrCancel(response);
    return await this.#resolve(
      (await receive(this.#context, response, { act: "load", compiles: false })).code,
      pins,
      url.href,
      mode,
    );
  }

  async #loadFile(path: string, pins: readonly Pin[], mode: Mode): Promise<M> {
    const { memory, platform: { files, now } } = this.#context;
    const identify = () => runAsync(perform(files!.identify(path)));
    const before = await identify();
    const known = this.#files.get(path);
    const mayUse = mode !== "no-store" && mode !== "reload" && known?.identity === before.identity;
    const slot = mayUse ? memory.get(known.digest) : undefined;
    if (slot) {
      await checkPins(slot, pins, path);
      return (await runAsync(lookup(this.#context, slot.code, { digest: slot.digest }))).module;
    }
    const code = await runAsync(perform(files!.readWhole(path)));
    const module = await this.#resolve(code, pins, path, mode);
    const digest = memory.find(code)?.digest;
    const isOld = Math.abs(now() - before.modifiedMs) > RECENT_MS;
    const isSame = isOld && (await identify()).identity === before.identity;
    if (digest !== undefined && isSame) this.#files.set(path, { identity: before.identity, digest });
    else this.#files.delete(path);
    return module;
  }

  async #resolve(code: Bytes, pins: readonly Pin[], name: string, mode: Mode): Promise<M> {
    const codeDigest = await runAsync(perform(this.#context.platform.sha256(code)));
    await checkPins({ code, digest: toHex(codeDigest) }, pins, name);
    const context = mode === "no-store" ? unkept(this.#context) : this.#context;
    return (await runAsync(lookup(context, code, { received: { code, codeDigest } }))).module;
  }
}
