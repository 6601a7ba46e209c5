// Memory that a thread shares with the workers which it starts: they get the modules that are in it, and take one of them
// only for code that they have hashed themselves. Code is not shared: who can write it could have it taken for other code.

import { native } from "../engine/runtime.ts";
import { type MemoryLimits, MemoryTier, type Slot } from "../memory/memory_tier.ts";
import { environmentData } from "../platform/threads.ts";

/** Below this a compile takes less time than it takes to find out how to share: 2 ms on V8, 10 ms on JavaScriptCore. */
const MIN_SHARED_BYTES = 512 * 1024;
const NOT_KEPT = new Uint8Array();

/** A module without its code. */
type Shared = Pick<Slot<WebAssembly.Module>, "key" | "module"> & { readonly length: number };

/** Live modules; the larger ones go along to workers. */
export class SharedMemory extends MemoryTier<WebAssembly.Module> {
  readonly #name: string;
  /** What workers get, by digest: the same modules as here, so that the same limits hold. */
  readonly #handedOn = new Map<string, Shared>();
  #inherited: Map<string, Shared> | undefined;

  /**
   * Makes a tier with what the thread that started this one had.
   *
   * @param id Identity of the engine: a module of another one is not taken.
   */
  constructor(id: string, limits: MemoryLimits, equal: (a: Uint8Array, b: Uint8Array) => boolean) {
    super(limits, equal);
    this.#name = `wasm-module-cache 1 ${id}`;
  }

  /** As ever, or inherited: then without the code, which memory learns when it is set. */
  override get(digest: string): Slot<WebAssembly.Module> | undefined {
    const found = super.get(digest);
    const shared = found ? undefined : this.#inherited?.get(digest);
    return shared ? { ...shared, code: NOT_KEPT, digest } : found;
  }

  /** As ever, or inherited. */
  override isCrowded(view: Uint8Array): boolean {
    return super.isCrowded(view) || this.mayInherit(view.length);
  }

  /** Tells whether a module of so long a code was inherited. */
  mayInherit(length: number): boolean {
    return length >= MIN_SHARED_BYTES && this.#inherit().values().some((shared) => shared.length === length);
  }

  /** As ever; what is kept is handed on. */
  override set(slot: Slot<WebAssembly.Module>): void {
    super.set(slot);
    const { code: { length }, digest, key, module } = slot;
    if (length < MIN_SHARED_BYTES || !super.get(digest)) return;
    this.#inherit().delete(digest);
    this.#handedOn.set(digest, { key, length, module });
  }

  /** As ever; what goes is handed on no more. */
  override delete(digest: string): boolean {
    this.#handedOn.delete(digest);
    return super.delete(digest);
  }

  /** As ever, with what was inherited. */
  override clear(): void {
    this.#inherited?.clear();
    this.#handedOn.clear();
    super.clear();
  }

  /** Once, when the first large module comes. What this thread does not take is not handed on. */
  #inherit(): Map<string, Shared> {
    if (this.#inherited) return this.#inherited;
    const data = environmentData();
    const given = data?.isMainThread === false ? data.getEnvironmentData(this.#name) : undefined;
    // Cloned anew for each worker.
    data?.setEnvironmentData(this.#name, this.#handedOn);
    const isWhole = given instanceof Map && given.values().every((shared) => shared?.module instanceof native.Module);
    return this.#inherited = isWhole ? given : new Map();
  }
}
