// Instances of a façade: where each lives is decided by its module and by what it imports.

import { describe } from "../../bytes.ts";
import type { Bytes } from "../../engine/calls.ts";
import { native } from "../../engine/runtime.ts";
import { readImports } from "../instance.ts";
import { moduleState, NativeModule } from "../module.ts";
import type { Space } from "../space.ts";
import { functionStateOf } from "../store.ts";
import type { FunctionType } from "../types.ts";
import { foreignTypes } from "../values.ts";
import { bridged, classReplacements, type Replacement } from "./bridge.ts";
import { named } from "./exports.ts";
import { codeOf, nativeModuleOf } from "./modules.ts";
import type { FacadeObjects } from "./objects.ts";

type Imports = Record<string, Record<string, unknown>>;
type Descriptors = readonly WebAssembly.ModuleImportDescriptor[];

/** What a module is given. */
interface Given {
  readonly module: string;
  readonly name: string;
  readonly kind: string;
  readonly value: unknown;
}

/** The instances of a façade. */
export class FacadeInstances {
  readonly #space: Space;
  readonly #objects: FacadeObjects;
  readonly #exports = new WeakMap<object, object>();

  /** Knows nothing yet. */
  constructor(space: Space, objects: FacadeObjects) {
    this.#space = space;
    this.#objects = objects;
  }

  /** `new WebAssembly.Instance`. */
  instantiateSync(module: unknown, imports: unknown, newTarget: object = native.Instance): WebAssembly.Instance {
    const found = nativeModuleOf(module);
    if (!found) {
      const given = this.#forRuntime(module, imports);
      return this.#told(
        module,
        Reflect.construct(native.Instance, [module, given], newTarget as typeof native.Instance),
      );
    }
    const given = read(NativeModule.imports(found), imports);
    const own = this.#ofRuntime(found, given);
    if (own) return Reflect.construct(native.Instance, [own, importsOf(given)], newTarget as typeof native.Instance);
    const made = this.#space.instantiate(found, importsOf(given.map((each) => this.#forNative(each))), {});
    const { code } = moduleState(found);
    const functions = given.filter(({ kind }) => kind === "function").map(({ value }) => value);
    const exports = code ? named(code, made.exports, functions) : made.exports;
    const { prototype } = newTarget as { prototype: unknown };
    const instance = Object.create(isObject(prototype) ? prototype : native.Instance.prototype);
    this.#exports.set(instance, exports);
    return instance;
  }

  /** `WebAssembly.instantiate` of a module. */
  async instantiate(module: unknown, imports: unknown): Promise<WebAssembly.Instance> {
    if (nativeModuleOf(module)) return this.instantiateSync(module, imports);
    const given = this.#forRuntime(module, imports) as WebAssembly.Imports;
    return this.#told(module, await native.instantiate(module as WebAssembly.Module, given));
  }

  /** What is replaced. */
  replacements(): Replacement[] {
    return [
      ...suspendingReplacements(),
      ...classReplacements(
        "Instance",
        native.Instance,
        ([module, imports], newTarget) => {
          if (imports !== undefined && !isObject(imports)) {
            throw new TypeError(`Cannot instantiate: imports must be an object, not ${describe(imports)}`);
          }
          return this.instantiateSync(module, imports, newTarget);
        },
      ),
      ...bridged(native.Instance.prototype, (name, self) => {
        const exports = isObject(self) ? this.#exports.get(self) : undefined;
        return exports && (name === "exports" ? { get: () => exports } : {});
      }),
    ];
  }

  /** What a native module takes instead of a value. */
  #forNative(given: Given): Given {
    const { kind, module, name, value } = given;
    const home = this.#objects.homeOf(value);
    if (home === "undecided") this.#objects.makeNative(value as object);
    if (home !== "runtime") return given;
    // Its value never changes, so it need not be the same.
    if (kind === "global" && isConstant(value as WebAssembly.Global)) {
      return { ...given, value: (value as WebAssembly.Global).value };
    }
    throw new native.LinkError(
      `Cannot instantiate: import "${module}" "${name}" is a ${kind} of the runtime's, and the module is Wasmtime's, ` +
        "because it shares others with Wasmtime; WASM_CACHE_ENGINE=auto runs both by the runtime",
    );
  }

  /** The module as the runtime compiles it, where only that can take what it is given. */
  #ofRuntime(found: NativeModule, given: readonly Given[]): WebAssembly.Module | undefined {
    const { code } = moduleState(found);
    if (!code || !given.some((each) => this.#isOnlyForRuntime(each))) return undefined;
    if (given.some(({ value }) => this.#objects.homeOf(value) === "native")) return undefined;
    for (const { value } of given) if (isObject(value)) this.#objects.leave(value);
    return new native.Module(code);
  }

  #isOnlyForRuntime({ kind, value }: Given): boolean {
    if (kind === "tag") return true;
    if (kind === "function") return isObject(value) && (suspending.has(value) || typeof value !== "function");
    return this.#objects.homeOf(value) === "runtime" &&
      !(kind === "global" && isConstant(value as WebAssembly.Global));
  }

  /** What the runtime takes instead of imports: read once, as it would. */
  #forRuntime(module: unknown, imports: unknown): unknown {
    if (!(module instanceof native.Module) || !isObject(imports)) return imports;
    const wanted = importsOfRuntime(module);
    if (wanted.every(({ kind }) => kind === "function")) return imports;
    const given = read(wanted, imports).map((each) => {
      const { kind, module, name, value } = each;
      const home = this.#objects.homeOf(value);
      if (home === "undecided") this.#objects.leave(value as object);
      if (home !== "native") return each;
      throw new native.LinkError(
        `Cannot instantiate: import "${module}" "${name}" is a ${kind} of Wasmtime's, and the module is the runtime's, ` +
          "because Wasmtime refuses it; WASM_CACHE_ENGINE=auto runs both by the runtime",
      );
    });
    return importsOf(given);
  }

  /** Tells of exported functions what they take: then tables of Wasmtime's take them. */
  #told(module: unknown, instance: WebAssembly.Instance): WebAssembly.Instance {
    const code = isObject(module) ? codeOf(module) : undefined;
    if (!code) return instance;
    for (const [name, value] of Object.entries(instance.exports)) {
      if (typeof value !== "function" || functionStateOf(value)) continue;
      foreignTypes.set(value, () => functionTypeIn(this.#space, code, name));
    }
    return instance;
  }
}

/** Functions for which WebAssembly waits: Bun's own are like any other. */
const suspending = new WeakSet<object>();

/** What makes them; missing in some versions. */
const { Suspending } = globalThis.WebAssembly as { Suspending?: new (...given: unknown[]) => object };

function suspendingReplacements(): Replacement[] {
  return Suspending === undefined ? [] : classReplacements("Suspending", Suspending, (given, newTarget) => {
    const made = Reflect.construct(Suspending, given, newTarget);
    suspending.add(made);
    return made;
  });
}

/** The runtime's own call. */
const importsOfRuntime = native.Module?.imports as (module: WebAssembly.Module) => Descriptors;

/** Reads what a module imports, once. */
function read(wanted: readonly { module: string; name: string; kind: string }[], imports: unknown): Given[] {
  return readImports(wanted, imports).map(({ type: { module, name, kind }, value }) => ({ module, name, kind, value }));
}

/** Type of a function that a module exports. */
function functionTypeIn(space: Space, code: Bytes, name: string): FunctionType {
  const { forms, typesOf } = moduleState(space.compile(code));
  return typesOf(forms[0]!).exports.find((each) => each.name === name)!.type as FunctionType;
}

function importsOf(given: readonly Given[]): WebAssembly.Imports {
  const imports: Imports = Object.create(null);
  for (const { module, name, value } of given) (imports[module] ??= Object.create(null))[name] = value;
  return imports as WebAssembly.Imports;
}

function isObject(value: unknown): value is object {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}

/** Whether a global cannot be set: to set one to what it is changes nothing. */
function isConstant(global: WebAssembly.Global): boolean {
  try {
    const { value } = global;
    global.value = value;
    return false;
  } catch {
    return true;
  }
}
