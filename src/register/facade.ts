// Members of the `WebAssembly` namespace that stand before two engines: Wasmtime's, by a cache, and the runtime's own,
// for code that Wasmtime refuses or that is too small to pay. Experimental.

import { openContext, type Resolved } from "../context.ts";
import { runAsync, runSync } from "../effect.ts";
import type { Engine } from "../engine/engine.ts";
import { native } from "../engine/runtime.ts";
import { lookup } from "../lookup.ts";
import type { NativeEngine } from "../wasmtime/engine.ts";
import type { NativeModule } from "../wasmtime/module.ts";
import { requireSync } from "./program.ts";
import { type Settings, trace } from "./settings.ts";
import { optionsOf } from "./storage.ts";
import { isPlainPromise, isWorthwhile, worthwhile } from "./worthwhile.ts";

type AnyModule = NativeModule | WebAssembly.Module;
type Imports = Record<string, Record<string, unknown>>;

/** What is loaded only when it is asked for. */
type Loaded = typeof import("../wasmtime/facade.ts");

/** Opens the engine; or says why the runtime's own must do. */
export function facadeOf(settings: Settings): Record<string, unknown> | string {
  const loaded = requireSync(import.meta.url, "../wasmtime/facade") as Loaded | undefined;
  if (!loaded) return "its files cannot be loaded without waiting";
  const { available, reason } = loaded.wasmtime.available();
  return available ? membersOf(new Facade(settings, loaded)) : reason!;
}

class Facade {
  readonly loaded: Loaded;
  readonly engine: NativeEngine;
  readonly #settings: Settings;
  readonly #lookup: (code: Uint8Array) => ReturnType<typeof lookup<NativeModule>>;
  /** Code of modules that the runtime compiled: if they are to share state with native ones, they are compiled again. */
  readonly #codes = new WeakMap<object, Uint8Array<ArrayBuffer>>();

  /** Whether there has been a native instance. */
  #hasNative = false;

  constructor(settings: Settings, loaded: Loaded) {
    this.loaded = loaded;
    this.#settings = settings;
    this.engine = loaded.wasmtime();
    const options = optionsOf(settings, this.engine as unknown as Engine, true);
    const context = openContext<NativeModule>({ ...options, engine: this.engine });
    this.#lookup = (code) => lookup(context, code);
  }

  isNative(module: unknown): module is NativeModule {
    return module instanceof this.loaded.NativeModule;
  }

  async compile(code: unknown, options?: unknown): Promise<AnyModule> {
    const bytes = this.#worthwhile(code, options);
    if (!bytes) return this.#own(await native.compile(code as BufferSource, options as undefined), code);
    // The caller may change the code after the call.
    const copy = bytes.slice();
    try {
      if (copy.length < this.#settings.minBytes) return await this.engine.compile(copy);
      return this.#told(await runAsync(this.#lookup(copy)), copy);
    } catch (error) {
      this.#unserved(error);
      return this.#own(await native.compile(copy), copy);
    }
  }

  compileSync(code: unknown, options?: unknown): AnyModule {
    const bytes = this.#worthwhile(code, options);
    try {
      if (bytes && bytes.length < this.#settings.minBytes) return this.engine.compile(bytes.slice()) as NativeModule;
      if (bytes) return this.#told(runSync(this.#lookup(bytes)), bytes);
    } catch (error) {
      this.#unserved(error);
    }
    const given = options === undefined ? [code] : [code, options];
    return this.#own(new native.Module(...given as [BufferSource]), code);
  }

  /** Where what is imported lives decides where the module has to. */
  instantiate(module: AnyModule, imports: unknown): unknown {
    const wanted = this.isNative(module) ? this.loaded.NativeModule.imports(module) : native.Module.imports(module);
    // Read once, as the runtime does: they may be getters.
    const given = this.loaded.readImports(wanted, imports);
    const read: Imports = Object.create(null);
    for (const { type: { module, name }, value } of given) (read[module] ??= Object.create(null))[name] = value;
    const placed = this.#placed(module, given.map(({ value }) => value));
    if (!this.isNative(placed)) return new native.Instance(placed, read as WebAssembly.Imports);
    this.#hasNative = true;
    return this.engine.instantiate(placed, read);
  }

  async compileStreaming(source: unknown, options?: unknown): Promise<AnyModule> {
    const response = isPlainPromise(source) ? await source : source;
    if (options === undefined && isWorthwhile(response, this.#settings.minBytes)) {
      return await this.compile(await response.arrayBuffer());
    }
    if (!native.compileStreaming) throw new TypeError("Cannot compile: this runtime compiles no responses");
    return await native.compileStreaming(response as Response, options as undefined);
  }

  /** Beside native instances the size does not count: what is small is mostly made to share a table with them. */
  #worthwhile(code: unknown, options: unknown): Uint8Array<ArrayBuffer> | undefined {
    return options === undefined ? worthwhile(code, this.#hasNative ? 1 : this.#settings.minBytes) : undefined;
  }

  #own(module: WebAssembly.Module, code: unknown): WebAssembly.Module {
    const bytes = worthwhile(code, 0);
    if (bytes) this.#codes.set(module, bytes.slice());
    return module;
  }

  #told({ elapsedMs, from, key, module }: Resolved<NativeModule>, { length }: Uint8Array): NativeModule {
    trace(this.#settings, `${from} ${key} ${length} bytes ${elapsedMs.toFixed(2)} ms`);
    return module;
  }

  /** What Wasmtime refuses, the runtime may take; its error is then the program's. */
  #unserved(error: unknown): void {
    const isRefused = error instanceof native.CompileError;
    if (!isRefused && this.#settings.strict) throw error;
    trace(this.#settings, isRefused ? "refused by Wasmtime" : "not served", error);
  }

  #placed(module: AnyModule, given: readonly unknown[]): AnyModule {
    const values = given.filter((value) => typeof value === "object" && value !== null) as object[];
    const { Memory, Table, Global } = this.engine;
    const isHere = values.some((value) => [Memory, Table, Global].some(({ prototype }) => isOf(prototype, value)));
    const isOwn = values.some((value) =>
      [native.Memory, native.Table, native.Global].some(({ prototype }) => isOf(prototype, value))
    );
    if (isHere && isOwn) throw mixed("memories, tables or globals of both kinds of modules are imported");
    if (this.isNative(module) ? !isOwn : !isHere) return module;
    const code = this.isNative(module) ? this.loaded.moduleState(module).code : this.#codes.get(module);
    if (!code) throw mixed("the module's code is not known");
    if (this.isNative(module)) return new native.Module(code);
    try {
      return this.engine.compile(code) as NativeModule;
    } catch (error) {
      throw mixed(`Wasmtime refuses the module: ${(error as Error).message}`);
    }
  }
}

/** Whether an object is of a class itself: the façade's own are of both kinds. */
function isOf(prototype: object, value: object): boolean {
  return Object.prototype.isPrototypeOf.call(prototype, value);
}

function mixed(why: string): WebAssembly.LinkError {
  return new native.LinkError(
    `Cannot instantiate: ${why}. Modules that Wasmtime runs share nothing with those of the runtime: ` +
      "run the program without WASM_CACHE_ENGINE=wasmtime",
  );
}

function membersOf(facade: Facade): Record<string, unknown> {
  const { engine, loaded } = facade;
  const { NativeModule } = loaded;
  const both = <T extends object>(name: string, prototype: object, own: { prototype: object }, make: T): T => {
    Object.defineProperties(make, {
      name: { value: name },
      prototype: { value: prototype, writable: false },
      [Symbol.hasInstance]: {
        value: (value: unknown) =>
          typeof value === "object" && value !== null && (isOf(prototype, value) || isOf(own.prototype, value)),
      },
    });
    Object.defineProperty(prototype, "constructor", { value: make, writable: true, configurable: true });
    return make;
  };
  const statics = (name: "exports" | "imports" | "customSections") => (module: AnyModule, ...given: string[]) =>
    facade.isNative(module)
      ? (NativeModule[name] as (...given: unknown[]) => unknown)(module, ...given)
      : (native.Module[name] as (...given: unknown[]) => unknown)(module, ...given);
  const Module = both("Module", NativeModule.prototype, native.Module, function (code: unknown, options?: unknown) {
    if (!new.target) throw new TypeError("WebAssembly.Module must be invoked with 'new'");
    return facade.compileSync(code, options);
  });
  const Instance = both(
    "Instance",
    loaded.NativeInstance.prototype,
    native.Instance,
    function (module: AnyModule, imports?: unknown) {
      if (!new.target) throw new TypeError("WebAssembly.Instance must be invoked with 'new'");
      return facade.instantiate(module, imports);
    },
  );
  const stateful = (name: "Memory" | "Table" | "Global") => {
    const construct: ProxyHandler<object>["construct"] = (target, given, newTarget): object => {
      // Only the runtime has memory that threads share.
      const isShared = name === "Memory" && (given[0] as { shared?: unknown } | undefined)?.shared === true;
      return isShared ? Reflect.construct(native.Memory, given) : Reflect.construct(
        target as new () => object,
        given,
        newTarget === proxy ? target as new () => object : newTarget,
      );
    };
    const proxy: object = new Proxy<object>(engine[name], { construct });
    return both(name, engine[name].prototype, native[name], proxy);
  };
  const isModule = (value: unknown): value is AnyModule => facade.isNative(value) || value instanceof native.Module;
  const instantiate = async (source: unknown, imports?: unknown, options?: unknown) => {
    if (isModule(source)) return facade.instantiate(source, imports);
    const module = await facade.compile(source, options);
    return { module, instance: facade.instantiate(module, imports) };
  };
  const instantiateStreaming = async (source: unknown, imports?: unknown, options?: unknown) => {
    const module = await facade.compileStreaming(source, options);
    return { module, instance: facade.instantiate(module, imports) };
  };
  return {
    Module: Object.assign(Module, {
      exports: statics("exports"),
      imports: statics("imports"),
      customSections: statics("customSections"),
    }),
    Instance,
    Memory: stateful("Memory"),
    Table: stateful("Table"),
    Global: stateful("Global"),
    compile: (code: unknown, options?: unknown) => facade.compile(code, options),
    compileStreaming: (source: unknown, options?: unknown) => facade.compileStreaming(source, options),
    instantiate,
    instantiateStreaming,
  };
}
