// Lookups under way in this process: one task works on the code, the others wait for its result.

import { CodeIndex } from "./code_index.ts";
import type { Effect } from "../effect.ts";
import type { Slot } from "./memory_tier.ts";
import type { Bytes } from "../platform/platform.ts";

/** One task's work on one module. */
export class Flight<M> {
  /** The code, our own copy. */
  readonly code: Bytes;
  #landing: PromiseWithResolvers<Slot<M>> | undefined;

  /** Begins. `code` is a copy that nobody changes. */
  constructor(code: Bytes) {
    this.code = code;
  }

  /** Whether another task waits for the end. */
  get isJoined(): boolean {
    return this.#landing !== undefined;
  }

  /** Waits for the end. In a synchronous run, which must not wait, gives `undefined` at once. */
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

  /** Ends with the engine's error, for all who wait: their code is the same. */
  fail(error: unknown): void {
    this.#landing?.reject(error);
  }
}

/** All flights of a cache, found by code. */
export class Flights<M> {
  readonly #index: CodeIndex<Flight<M>>;

  /** Creates an empty set. `equal` compares bytes of the same length exactly. */
  constructor(equal: (a: Uint8Array, b: Uint8Array) => boolean) {
    this.#index = new CodeIndex(equal);
  }

  /** Finds the flight of exactly this code. */
  find(view: Uint8Array): Flight<M> | undefined {
    return this.#index.find(view);
  }

  /** Begins a flight. */
  begin(code: Bytes): Flight<M> {
    const flight = new Flight<M>(code);
    this.#index.add(code, flight);
    return flight;
  }

  /** Removes a flight, however it ended. */
  end(flight: Flight<M>): void {
    this.#index.delete(flight.code);
  }
}
