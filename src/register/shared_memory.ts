// Memory that a thread shares with the workers it starts: they get its modules, and use one only for code that they
// have hashed themselves. Code is not shared: whoever can write it could have it taken for other code.

import { native } from "../engine/runtime.ts";
import { MemoryTier, type Slot } from "../memory/memory_tier.ts";
import { environmentData } from "../platform/threads.ts";

/** Below this a compile takes less time than sharing: 2 ms on V8, 10 ms on JavaScriptCore. */
const MIN_SHARED_BYTES = 512 * 1024;
const NOT_KEPT = new Uint8Array();

/** A module without its code. */
type Shared = Pick<Slot<WebAssembly.Module>, "compileMs" | "key" | "module"> & { readonly length: number };

/** Live modules; the larger ones are passed to workers. */
export class SharedMemory extends MemoryTier<WebAssembly.Module> {
  readonly #name: string;
  /** Modules for workers, by digest: only those in memory here, so that the same limits hold. */
  readonly #handedOn = new Map<string, Shared>();
  #inherited: Map<string, Shared> | undefined;

  /**
   * Creates a tier that inherits from the thread that started this one.
   *
   * @param id Id of the engine: modules of other engines are not inherited.
   */
  constructor(id: string, ...given: ConstructorParameters<typeof MemoryTier<WebAssembly.Module>>) {
    super(...given);
    this.#name = `wasm-module-cache 1 ${id}`;
  }

  /** As in the base class, or inherited: then without code, which `set` adds. */
  override get(digest: string): Slot<WebAssembly.Module> | undefined {
    const found = super.get(digest);
    const shared = found ? undefined : this.#inherited?.get(digest);
    return shared ? { ...shared, code: NOT_KEPT, digest } : found;
  }

  /** Whether a module with code of this length was inherited. */
  override mayInherit(length: number): boolean {
    return length >= MIN_SHARED_BYTES && this.#inherit().values().some((shared) => shared.length === length);
  }

  /** As in the base class; large modules are passed to workers. */
  override set(slot: Slot<WebAssembly.Module>): void {
    super.set(slot);
    const { code: { length }, compileMs, digest, key, module } = slot;
    if (length < MIN_SHARED_BYTES || !super.get(digest)) return;
    this.#inherit().delete(digest);
    this.#handedOn.set(digest, { compileMs, key, length, module });
  }

  /** As in the base class; no longer passed to workers. */
  override delete(digest: string): boolean {
    this.#handedOn.delete(digest);
    return super.delete(digest);
  }

  /** As in the base class, including inherited modules. */
  override clear(): void {
    this.#inherited?.clear();
    this.#handedOn.clear();
    super.clear();
  }

  /** Inherits once, when the first large module arrives. Modules not used here are not passed on. */
  #inherit(): Map<string, Shared> {
    if (this.#inherited) return this.#inherited;
    const data = environmentData();
    const given = data?.isMainThread === false ? data.getEnvironmentData(this.#name) : undefined;
    // Cloned for each worker when it starts.
    data?.setEnvironmentData(this.#name, this.#handedOn);
    const isWhole = given instanceof Map && given.values().every((shared) => shared?.module instanceof native.Module);
    return this.#inherited = isWhole ? given : new Map();
  }
}
