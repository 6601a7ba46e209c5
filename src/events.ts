// What a cache tells while it works: its events, and the channels of `node:diagnostics_channel`. Where nobody listens it
// costs a comparison.

import type { CacheWarning } from "./errors.ts";
import type { Channel } from "./platform/platform.ts";

/** A lookup that has ended with a module. */
export interface LookupDetail {
  /** Name of the entry. */
  readonly key: string;
  /** Where the module came from, as in {@linkcode Resolved}. */
  readonly from: "memory" | "disk" | "remote" | "recompiled" | "compiled";
  /** Why no faster source was used, for people. */
  readonly reason?: string;
  /** Length of the code, bytes. */
  readonly bytes: number;
  /** Duration, ms. */
  readonly elapsedMs: number;
}

/** An entry that was written. */
export interface StoreDetail {
  /** Name of the entry. */
  readonly key: string;
  /** Length of the file, bytes. */
  readonly bytes: number;
}

/** A module that was evicted from memory to make room. */
export interface EvictDetail {
  /** Name of its entry. */
  readonly key: string;
  /** Length of its code, bytes. */
  readonly bytes: number;
}

/** What is told, by name. */
export interface CacheDetails {
  /** A lookup has ended with a module. */
  readonly lookup: LookupDetail;
  /** An entry was written. */
  readonly store: StoreDetail;
  /** A module was evicted from memory to make room. */
  readonly evict: EvictDetail;
  /** What `onWarning` gets. */
  readonly warning: CacheWarning;
}

/** Name of an event. */
export type CacheEventName = keyof CacheDetails;

/** The events of a {@linkcode ModuleCache}. */
export type CacheEvents = { readonly [K in CacheEventName]: CustomEvent<CacheDetails[K]> };

/** What `EventTarget` takes besides a name. */
export type ListenerArguments = [
  listener: EventListenerOrEventListenerObject | null,
  options?: boolean | AddEventListenerOptions,
];

const NAMES: readonly CacheEventName[] = ["lookup", "store", "evict", "warning"];

/** Beginning of the names of channels. */
const PREFIX = "wasm-module-cache:";

/** Tells those who listen. */
export class Teller {
  readonly #channels: Partial<Record<CacheEventName, Channel>>;
  #target: EventTarget | undefined;

  /**
   * Nobody listens yet, but to channels.
   *
   * @param channel Finds a channel of the process, where there are any.
   */
  constructor(channel: ((name: string) => Channel) | undefined) {
    this.#channels = channel ? Object.fromEntries(NAMES.map((name) => [name, channel(PREFIX + name)])) : {};
  }

  /** Tells that a module was evicted. */
  readonly evicted = ({ code, key }: { readonly code: Uint8Array; readonly key: string }): void => {
    if (this.isHeard("evict")) this.tell("evict", { key, bytes: code.length });
  };

  /** From now on it dispatches events too. */
  listen(target: EventTarget): void {
    this.#target = target;
  }

  /** Whether someone listens: to be asked before a detail is made. */
  isHeard(name: CacheEventName): boolean {
    return this.#target !== undefined || this.#channels[name]?.hasSubscribers === true;
  }

  /** Tells. */
  tell<K extends CacheEventName>(name: K, detail: CacheDetails[K]): void {
    this.#channels[name]?.publish(detail);
    this.#target?.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
