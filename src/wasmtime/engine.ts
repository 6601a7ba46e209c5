// The engine that stores Wasmtime's machine code.

import type { Bytes } from "../engine/calls.ts";
import type { Engine, EntryPlace } from "../engine/engine.ts";
import type { Compiled } from "./compiler.ts";
import type { NativeGlobalClass } from "./global.ts";
import { identityOf } from "./identity.ts";
import { findLibrary, whyNotHere } from "./library.ts";
import type { NativeMemoryClass } from "./memory.ts";
import type { NativeModule } from "./module.ts";
import { later } from "./later.ts";
import { type Opened, openLibrary } from "./open.ts";
import { type InstanceOptions, settingsOf, type WasmtimeOptions } from "./options.ts";
import type { Order } from "./order.ts";
import { makeArtifact, mayStart } from "./processes.ts";
import { type NativeInstance, Space } from "./space.ts";
import type { Links } from "./store.ts";
import type { NativeTableClass } from "./table.ts";

/** Whether the Wasmtime engine is available, and why not. */
export interface WasmtimeAvailability {
  /** Whether it is available. */
  readonly available: boolean;
  /** Why it is not available; absent if it is. For people: its wording may change. */
  readonly reason?: string;
}

/** An engine whose modules Wasmtime compiles and runs. */
export interface NativeEngine extends Engine<NativeModule> {
  /**
   * Instantiates a module, as `WebAssembly.Instance` does.
   *
   * An instance that imports a memory, table, global or function of another shares its fuel and limits, and is freed
   * with it; it cannot be given limits of its own.
   *
   * @param module The module, compiled by this engine.
   * @param imports What it imports. Memories, tables and globals must be made by this engine, or exported by its
   * instances; host functions must not be async.
   * @param options Limits.
   * @throws {WebAssembly.LinkError} When an import is not what the module needs.
   * @throws {WebAssembly.RuntimeError} When its start function traps.
   * @throws {RangeError} When there is no room for it, or a limit is out of range.
   * @throws {TypeError} When an argument is invalid, or the engine was made without what a limit needs.
   */
  instantiate(
    module: NativeModule,
    imports?: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
    options?: InstanceOptions,
  ): NativeInstance;
  /** Class of memories, as `WebAssembly.Memory`. Shared memories are not supported. */
  readonly Memory: NativeMemoryClass;
  /** Class of tables, as `WebAssembly.Table`. */
  readonly Table: NativeTableClass;
  /** Class of globals, as `WebAssembly.Global`. */
  readonly Global: NativeGlobalClass;
}

/** Type of {@linkcode wasmtime}: creates the engine, and reports whether it is available. */
export interface WasmtimeFactory {
  /**
   * Creates the engine.
   *
   * @throws {TypeError} When {@linkcode WasmtimeFactory.available} says no, or an option is invalid.
   * @throws {RangeError} When an option is out of range.
   */
  (options?: WasmtimeOptions): NativeEngine;

  /** Reports whether this process can use the engine, and why not. Opens the library. */
  available(options?: Pick<WasmtimeOptions, "library">): WasmtimeAvailability;
}

/**
 * Stores machine code that Wasmtime makes: on Deno, Bun and Node 26, a new process maps it from its file.
 *
 * A module that is not in the directory is compiled by Winch, Wasmtime's fast compiler; its code is stored at once.
 * Another process then makes better code by Cranelift, which later processes get. `cache.warm` does it and waits.
 *
 * Modules are {@linkcode NativeModule}s: `engine.instantiate` instantiates them, `WebAssembly.Instance` does not. Their
 * machine code runs unchecked: whoever can write the directory can run code as you, so directories that others can
 * write are refused. Needs Wasmtime's library and the permission to call it; see docs/engines.md.
 *
 * @example Use it if it is available
 * ```ts
 * import { defaultDirectory, ModuleCache } from "@wasm/module-cache";
 * import { wasmtime } from "@wasm/module-cache/wasmtime";
 *
 * const { available, reason } = wasmtime.available();
 * console.log(available === (reason === undefined)); // true
 * if (available) {
 *   const engine = wasmtime();
 *   const cache = new ModuleCache({ engine, directory: defaultDirectory() });
 *   const module = await cache.compile(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
 *   const { exports } = engine.instantiate(module);
 * }
 * ```
 */
export const wasmtime: WasmtimeFactory = Object.assign(create, { available: availability });

function availability({ library }: Pick<WasmtimeOptions, "library"> = {}): WasmtimeAvailability {
  const found = open(library);
  return "reason" in found ? { available: false, reason: found.reason } : { available: true };
}

function open(library: string | URL | undefined): Opened & { path: string } | { reason: string } {
  const reason = whyNotHere();
  if (reason !== undefined) return { reason };
  const found = findLibrary(library);
  if ("reason" in found) return found;
  const opened = openLibrary(found.path);
  return typeof opened === "string" ? { reason: opened } : { ...found, ...opened };
}

function create(options: WasmtimeOptions = {}): NativeEngine {
  return nativeEngine(options).engine;
}

/**
 * The engine, and what its modules share: for those who make objects of other classes.
 *
 * @param prototypes What objects that instances export have for a prototype.
 */
export function nativeEngine(
  options: WasmtimeOptions,
  prototypes?: Links["prototypes"],
): { engine: NativeEngine; space: Space } {
  const settings = settingsOf(options);
  const found = open(options.library);
  if ("reason" in found) throw new TypeError(`Cannot use Wasmtime engine: ${found.reason}`);
  const space = new Space(found.machine, found.path, settings, prototypes);
  const { Memory, Table, Global } = space;
  const id = identityOf(found.path, settings, found.features);
  const order = (code: Bytes) => ({ id, library: found.path, settings, code });
  /** Has the better code made later, where a module has the lesser. */
  const improve = (module: NativeModule | undefined, code: Bytes | undefined, place: EntryPlace | undefined) => {
    if (module && code && place && !space.isBest(module)) later(order(code), place);
    return module;
  };
  const engine: NativeEngine = {
    id,
    native: true,
    compile: (code) => space.compile(code),
    serialize: (module, code, place) => {
      improve(module, code, place);
      return space.serialize(module);
    },
    deserialize: (artifact, code, place) =>
      improve(taken(space, code, (compiler) => compiler.deserialize(artifact)), code, place),
    deserializeFile: (path, code, place) =>
      improve(taken(space, code, (compiler) => compiler.deserializeFile(path)), code, place),
    thorough: thoroughEngine(id, space, order),
    instantiate: (module, imports, limits = {}) => space.instantiate(module, imports, limits),
    Memory,
    Table,
    Global,
  };
  return { engine, space };
}

/** Makes the best code, in another process where that may be started, and takes no other. */
function thoroughEngine(id: string, space: Space, order: (code: Bytes) => Order): Engine<NativeModule> {
  return {
    id,
    native: true,
    compile: async (code) => {
      const form = mayStart()
        ? space.cranelift.deserialize(await makeArtifact(order(code)))
        : space.cranelift.compile(code);
      return space.moduleOf(form, code);
    },
    serialize: (module) => space.serialize(module),
    deserialize: (artifact, code) => {
      try {
        return space.moduleOf(space.cranelift.deserialize(artifact), code);
      } catch {
        // Winch made it.
        return undefined;
      }
    },
  };
}

/** Reads a module back by whichever compiler made it. */
function taken(
  space: Space,
  code: Bytes | undefined,
  read: (compiler: Compiled["compiler"]) => Compiled,
): NativeModule | undefined {
  for (const compiler of [space.cranelift, space.winch]) {
    try {
      if (compiler) return space.moduleOf(read(compiler), code);
    } catch {
      // Wasmtime says why not, of the other compiler mostly.
    }
  }
  return undefined;
}
