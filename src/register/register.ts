// Puts a cache behind the calls of the `WebAssembly` namespace, and takes it away again. Loads little: the cache itself is
// loaded when the first module comes that is worth it.

import { native } from "../engine/native.ts";
import { MIN_BYTES, worthwhile } from "./bytes.ts";
import { isCalledByNode } from "../platform/caller.ts";
import { backendNow, backendSoon } from "./loading.ts";
import { isOff, readSettings, type Settings } from "./settings.ts";

/** Names of the calls that are replaced. */
const NAMES = ["compile", "compileStreaming", "instantiate", "instantiateStreaming", "Module"] as const;
type Name = typeof NAMES[number];
type Call = (...given: unknown[]) => Promise<unknown>;
type Served = Promise<unknown> | undefined;
/** What was called in the place of a call: its caller is who called that. */
type Trap = (...given: never[]) => unknown;

interface Replaced {
  readonly holder: object;
  readonly name: string;
  readonly descriptor: PropertyDescriptor;
  readonly replacement: unknown;
}

/** What is replaced, while it is. */
let replaced: readonly Replaced[] = [];
let settings: Settings | undefined;
/** What compiles now belongs to the cache, or to what it makes the runtime load. */
let isBusy = false;

/**
 * Puts one cache behind `WebAssembly.compile`, `instantiate`, `compileStreaming`, `instantiateStreaming` and
 * `new WebAssembly.Module` of this thread; does nothing where it is there already, where `WASM_CACHE=off`, or where the
 * namespace must not be changed.
 *
 * What was replaced behaves as before: modules are distinct objects, errors are of the same classes, and what the cache
 * does not serve goes to the runtime untouched: modules under 4 KB, shared and resizable buffers, DataViews, compile
 * options, subclasses, and what Node compiles for itself. Only `Function.prototype.toString` tells a difference.
 */
export function register(): void {
  if (settings || isOff() || !native.Module) return;
  const holders = NAMES.map((name): [object, string, unknown] => [WebAssembly, name, replacements[name]]);
  holders.push([native.Module.prototype, "constructor", replacements.Module]);
  const found = holders.flatMap(([holder, name, replacement]) => {
    const descriptor = Object.getOwnPropertyDescriptor(holder, name);
    return descriptor ? [{ holder, name, descriptor, replacement }] : [];
  });
  // A frozen namespace stays as it is, as a whole.
  if (!found.every(({ descriptor }) => descriptor.configurable && "value" in descriptor)) return;
  for (const { holder, name, descriptor, replacement } of found) {
    Object.defineProperty(holder, name, { ...descriptor, value: replacement });
  }
  replaced = found;
  settings = readSettings();
}

/** Puts everything back; what somebody else replaced since stays, and comes to the runtime. */
export function unregister(): void {
  settings = undefined;
  for (const { holder, name, descriptor, replacement } of replaced) {
    const isOurs = Object.getOwnPropertyDescriptor(holder, name)?.value === replacement;
    if (isOurs) Object.defineProperty(holder, name, descriptor);
  }
  replaced = [];
}

const replacements: Partial<Record<Name, unknown>> = native.Module ? makeReplacements(native.Module) : {};

function makeReplacements(NativeModule: typeof native.Module): Record<Name, unknown> {
  const calls: Record<Exclude<Name, "Module">, (target: Call, given: unknown[], trap: Trap) => Served> = {
    compile: (_target, [code, options], trap) => compiled(code, options, trap),
    instantiate: (_target, [code, imports, options], trap) => {
      const module = isImports(imports) ? compiled(code, options, trap) : undefined;
      return module && instantiated("instantiate", module, imports as WebAssembly.Imports | undefined);
    },
    compileStreaming: (target, given) => given[1] === undefined ? streamed(target, given) : undefined,
    instantiateStreaming: (target, given) =>
      given[2] === undefined && isImports(given[1]) ? instantiatedStream(target, given) : undefined,
  };
  const proxies = Object.entries(calls).map(([name, call]) => {
    const apply: ProxyHandler<Call>["apply"] = (target, self, given) =>
      (isServed() ? call(target, given, apply!) : undefined) ?? Reflect.apply(target, self, given);
    const target = native[name as keyof typeof calls] as Call | undefined;
    return [name, target && new Proxy(target, { apply })];
  });
  const Module = new Proxy(NativeModule, {
    construct: function construct(target, given, newTarget): object {
      const isPlain = newTarget === Module && given[1] === undefined;
      const bytes = isServed() && isPlain ? worthwhile(given[0]) : undefined;
      const backend = bytes && !isCalledByNode(construct) ? alone(() => backendNow(settings!)) : undefined;
      if (backend) return alone(() => backend.compileSync(bytes!));
      return Reflect.construct(target, given, newTarget === Module ? target : newTarget);
    },
  });
  return { ...Object.fromEntries(proxies), Module };
}

function isServed(): boolean {
  return settings !== undefined && !isBusy;
}

/** What is compiled in between, for what the cache or the runtime loads then, goes to the runtime. */
function alone<T>(body: () => T): T {
  isBusy = true;
  try {
    return body();
  } finally {
    isBusy = false;
  }
}

/** A promise of the module where the cache serves the code. */
function compiled(code: unknown, options: unknown, trap: Trap): Promise<WebAssembly.Module> | undefined {
  const bytes = options === undefined ? worthwhile(code) : undefined;
  if (!bytes || isCalledByNode(trap)) return undefined;
  const backend = alone(() => backendNow(settings!));
  if (backend) return alone(() => backend.compile(bytes));
  // What the caller does to the code after the call changes nothing.
  const copy = bytes.slice();
  return backendSoon(settings!).then((backend) => (backend ?? native).compile(copy));
}

async function instantiated(
  call: string,
  module: Promise<WebAssembly.Module>,
  imports: WebAssembly.Imports | undefined,
): Promise<WebAssembly.WebAssemblyInstantiatedSource> {
  const compiled = await named(module, call);
  return { module: compiled, instance: await native.instantiate(compiled, imports) };
}

async function streamed(target: Call, [source]: unknown[]): Promise<unknown> {
  const { module, response } = await received(source);
  return module ? await named(module, "compileStreaming") : await target(response);
}

async function instantiatedStream(target: Call, [source, imports]: unknown[]): Promise<unknown> {
  const { module, response } = await received(source);
  const wanted = imports as WebAssembly.Imports | undefined;
  return module ? await instantiated("instantiateStreaming", module, wanted) : await target(response, imports);
}

/** The module of a response; without one where the cache does not serve it, or it is none of WebAssembly. */
async function received(source: unknown): Promise<{ response: unknown; module?: Promise<WebAssembly.Module> }> {
  const [response, backend] = await Promise.all([source, backendSoon(settings!)]);
  if (!backend || !isServed()) return { response };
  return alone(() => {
    const isLarge = backend.isResponse(response) &&
      !(Number(response.headers.get("content-length") ?? Infinity) < MIN_BYTES);
    return { response, module: isLarge ? backend.compileStreaming(response as Response) : undefined };
  });
}

/** The runtime's error names the call that was made. */
async function named<T>(result: Promise<T>, call: string): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof native.CompileError)) throw error;
    throw new native.CompileError(error.message.replace(/^WebAssembly\.\w+\(\)/, `WebAssembly.${call}()`));
  }
}

function isImports(imports: unknown): imports is WebAssembly.Imports | undefined {
  return imports === undefined || typeof imports === "function" || (typeof imports === "object" && imports !== null);
}
