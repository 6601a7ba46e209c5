// What one engine's modules and instances share: the library's machine, the two compilers, the classes of its objects,
// and the store of those that belong to no instance yet.

import { describe, isUint8Array } from "../bytes.ts";
import { native } from "../engine/runtime.ts";
import type { Bytes } from "../engine/calls.ts";
import { type Compiled, Compiler } from "./compiler.ts";
import { adopt, exportedFunction } from "./functions.ts";
import { globalClass, type NativeGlobalClass } from "./global.ts";
import { instantiateIn, readImports, storesOf } from "./instance.ts";
import type { Machine } from "./machine.ts";
import { memoryClass, type NativeMemoryClass } from "./memory.ts";
import { importsState, makeModule, type ModuleState, moduleState, type NativeModule } from "./module.ts";
import { checkFuel, type InstanceOptions, limitsOfInstance } from "./options.ts";
import type { Settings } from "./settings.ts";
import { type Clock, type EngineHandle, type Links, Store } from "./store.ts";
import { type NativeTableClass, tableClass } from "./table.ts";
import { startTicker } from "./ticker.ts";
import type { ModuleTypes } from "./types.ts";

/** What an engine's modules and instances share. */
export class Space {
  /** Class of memories. */
  readonly Memory: NativeMemoryClass;
  /** Class of tables. */
  readonly Table: NativeTableClass;
  /** Class of globals. */
  readonly Global: NativeGlobalClass;
  readonly #machine: Machine;
  readonly #path: string;
  readonly #settings: Settings;
  readonly #links: Links;
  readonly #engines = new Map<Compiler, EngineHandle>();
  readonly #types = new WeakMap<Compiled, ModuleTypes>();
  #cranelift: Compiler | undefined;
  #winch: Compiler | undefined;
  #shared: WeakRef<Store> | undefined;

  /**
   * Makes no compiler yet.
   *
   * @param prototypes What objects that instances export have for a prototype; absent: those of the classes here.
   */
  constructor(machine: Machine, path: string, settings: Settings, prototypes?: Links["prototypes"]) {
    this.#machine = machine;
    this.#path = path;
    this.#settings = settings;
    const place = () => this.sharedStore();
    [this.Memory, this.Table, this.Global] = [memoryClass(place), tableClass(place), globalClass(place)];
    prototypes ??= { memory: this.Memory.prototype, table: this.Table.prototype, global: this.Global.prototype };
    this.#links = { adopt, exportedFunction, prototypes };
  }

  /** The compiler of the best code. */
  get cranelift(): Compiler {
    return this.#cranelift ??= new Compiler(this.#machine.wasmtime, this.#settings, { name: "cranelift" });
  }

  /** The compiler that takes no time; absent where it does not make what the settings want. */
  get winch(): Compiler | undefined {
    if (this.#settings.canonicalNaN) return undefined;
    return this.#winch ??= new Compiler(this.#machine.wasmtime, this.#settings, { name: "winch" });
  }

  /**
   * Compiles at once, if that is possible, and otherwise well. What imports a memory, table or global will live beside
   * objects that have been made for the better code.
   */
  compile(code: Bytes): NativeModule {
    if (!isUint8Array(code)) throw new TypeError(`Cannot compile code: not a Uint8Array but ${describe(code)}`);
    const fast = importsState(code) ? undefined : this.#tryWinch(code);
    return this.moduleOf(fast ?? this.cranelift.compile(code), code);
  }

  /** Makes a module of a compiled form. */
  moduleOf(form: Compiled, code: Bytes | undefined): NativeModule {
    return makeModule({ forms: [form], code, typesOf: (form) => this.#typesOf(form) });
  }

  /** Whether a module has the best code. */
  isBest(module: NativeModule): boolean {
    return moduleState(module).forms[0]!.compiler === this.#cranelift;
  }

  /** Serializes a module. */
  serialize(module: NativeModule): Bytes {
    const { forms: [form] } = this.#ownState(module);
    return form!.compiler.serialize(form!);
  }

  /** Instantiates a module. */
  instantiate(module: NativeModule, imports: unknown, options: InstanceOptions): NativeInstance {
    const state = this.#ownState(module);
    const limits = limitsOfInstance(options, this.#settings);
    const given = readImports(this.#typesOf(state.forms[0]!).imports, imports);
    const { needed, functions } = storesOf(given);
    if (needed.size > 1) {
      throw new native.LinkError("Cannot instantiate: imports belong to instances that share nothing");
    }
    if (![...needed].every((store) => this.#isOwn(store))) {
      throw new native.LinkError("Cannot instantiate: imports belong to another engine");
    }
    const isLimited = Object.values(limits).some((limit) => limit !== undefined);
    if (isLimited && needed.size > 0) {
      throw new TypeError("Cannot limit instance: what it imports has been made without limits");
    }
    const [joined] = isLimited ? [] : [...needed, ...[...functions].filter((store) => this.#isOwn(store))];
    const store = joined ?? new Store(this.#engineOf(state.forms[0]!.compiler), limits);
    try {
      const form = this.#formFor(state, store);
      const types = this.#typesOf(form);
      const own = given.map(({ value }, i) => ({ type: types.imports[i]!, value }));
      return new NativeInstance(store, instantiateIn(store, form, types, own));
    } catch (error) {
      if (!joined) store.dispose();
      throw error;
    }
  }

  /**
   * What is behind a module of this engine. Wasmtime ends the process where parts of two engines meet.
   *
   * @throws {TypeError} When another engine has compiled it, or it is none.
   */
  #ownState(module: NativeModule): ModuleState {
    const state = moduleState(module);
    const { compiler } = state.forms[0]!;
    if (compiler === this.#cranelift || compiler === this.#winch) return state;
    throw new TypeError("Cannot use module: another engine has compiled it");
  }

  /** Whether a store is one of this engine's. */
  #isOwn({ engine }: Store): boolean {
    return [...this.#engines.values()].includes(engine);
  }

  #tryWinch(code: Bytes): Compiled | undefined {
    try {
      return this.winch?.compile(code);
    } catch (error) {
      // It lacks references, exceptions and more; the other compiler says what is wrong if anything is.
      if (error instanceof native.CompileError) return undefined;
      throw error;
    }
  }

  /** The form of a module for a store: it may have been made for the other compiler. */
  #formFor({ code, forms }: ModuleState, { engine: { address } }: Store): Compiled {
    const found = forms.find(({ compiler }) => compiler.address === address);
    if (found) return found;
    if (!code) throw new native.LinkError("Cannot instantiate: imports need another form of a module without code");
    const compiler = address === this.#winch?.address ? this.#winch! : this.cranelift;
    const made = compiler.compile(code);
    forms.push(made);
    return made;
  }

  #typesOf(form: Compiled): ModuleTypes {
    const known = this.#types.get(form) ?? this.#machine.types.moduleTypes(form.address);
    this.#types.set(form, known);
    return known;
  }

  #engineOf(compiler: Compiler): EngineHandle {
    const known = this.#engines.get(compiler);
    if (known) return known;
    const { fuel, deadlines } = this.#settings;
    let clock: Clock | undefined;
    const path = this.#path;
    const engine: EngineHandle = {
      address: compiler.address,
      machine: this.#machine,
      links: this.#links,
      hasFuel: fuel,
      hasDeadlines: deadlines,
      get clock() {
        return clock ??= startTicker(path, compiler.address);
      },
    };
    this.#engines.set(compiler, engine);
    return engine;
  }

  /** One for all objects that belong to no instance yet: then an instance can import any of them. */
  sharedStore(): Store {
    const known = this.#shared?.deref();
    if (known && !known.isDisposed) return known;
    const store = new Store(this.#engineOf(this.cranelift));
    this.#shared = new WeakRef(store);
    return store;
  }
}

/** An instance of a module. */
export class NativeInstance {
  /** What it exports: functions, memories, tables and globals, by their names. */
  // deno-lint-ignore no-explicit-any -- as TypeScript has it for values that only the module knows
  readonly exports: Record<string, any>;
  readonly #store: Store;

  /** Not for callers: `engine.instantiate` makes instances. */
  constructor(store: Store, exports: Record<string, unknown>) {
    this.#store = store;
    this.exports = exports;
  }

  /** Fuel that is left; `undefined` if the engine was made without. To set it refills it. */
  get fuelLeft(): bigint | undefined {
    return this.#store.engine.hasFuel ? this.#store.fuel : undefined;
  }

  set fuelLeft(fuel: bigint | undefined) {
    checkFuel(fuel);
    if (!this.#store.engine.hasFuel) throw new TypeError("Cannot set fuel: the engine was made without");
    this.#store.setFuel(fuel!);
  }

  /**
   * Frees the instance, and those that share a memory, table, global or function with it. Buffers of its memories are
   * detached; what else is used afterwards throws a `TypeError`. What is forgotten is freed some time.
   *
   * @throws {TypeError} When one of its functions is running.
   */
  dispose(): void {
    this.#store.dispose();
  }

  /** {@linkcode NativeInstance.dispose}. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Name of the class. */
  get [Symbol.toStringTag](): string {
    return "WebAssembly.Instance";
  }
}
