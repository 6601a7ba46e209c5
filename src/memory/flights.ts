// Lookups under way in this process: one task works on a code, the others wait for what it gets.

import { CodeIndex } from "./code_index.ts";
import type { Effect } from "../effect.ts";
import type { Slot } from "./memory_tier.ts";
import type { Bytes } from "../platform/platform.ts";

/** One task's work on one code. */
export class Flight<M> {
  /** The code, a copy of ours. */
  readonly code: Bytes;
  #landing: PromiseWithResolvers<Slot<M>> | undefined;

  /** Begins; `code` is a copy that nobody changes. */
  constructor(code: Bytes) {
    this.code = code;
  }

  /** Whether somebody waits for the end. */
  get isJoined(): boolean {
    return this.#landing !== undefined;
  }

  /** Waits for the end; gives `undefined`, at once, in a synchronous run, which must not wait. */
  get join(): Effect<Slot<M> | undefined> {
    return {
      name: "join",
      sync: () => undefined,
      async: () => (this.#landing ??= Promise.withResolvers()).promise,
    };
  }

  /** Ends with a module. */
  land(slot: Slot<M>): void {
    this.#landing?.resolve(slot);
  }

  /** Ends with the engine's error, which is the same for all: the code is. */
  fail(error: unknown): void {
    this.#landing?.reject(error);
  }
}

/** All flights of a cache, found by their code before it is hashed, and by its digest after. */
export class Flights<M> {
  readonly #byCode: CodeIndex<Flight<M>>;
  readonly #byDigest = new Map<string, Flight<M>>();

  /** Makes an empty set; `equal` is an exact compare of equally long bytes. */
  constructor(equal: (a: Uint8Array, b: Uint8Array) => boolean) {
    this.#byCode = new CodeIndex(equal);
  }

  /** Finds the flight of exactly this code. */
  findByCode(view: Uint8Array): Flight<M> | undefined {
    return this.#byCode.find(view);
  }

  /** Finds the flight of a code by its digest, once that was announced. */
  findByDigest(digest: string): Flight<M> | undefined {
    return this.#byDigest.get(digest);
  }

  /** Tells whether a flight of this code may be there without being found by it. */
  isCrowded(view: Uint8Array): boolean {
    return this.#byCode.isCrowded(view);
  }

  /** Begins a flight. */
  begin(code: Bytes): Flight<M> {
    const flight = new Flight<M>(code);
    this.#byCode.add(code, flight);
    return flight;
  }

  /** Tells the digest of a flight's code, once it is known. */
  announce(flight: Flight<M>, digest: string): void {
    if (!this.#byDigest.has(digest)) this.#byDigest.set(digest, flight);
  }

  /** Takes a flight out, however it ended. */
  end(flight: Flight<M>, digest: string | undefined): void {
    this.#byCode.delete(flight.code);
    if (digest !== undefined && this.#byDigest.get(digest) === flight) this.#byDigest.delete(digest);
  }
}
