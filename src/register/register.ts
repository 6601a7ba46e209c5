// Puts a cache behind the calls of the `WebAssembly` namespace, and takes it away again. Loads little: the cache itself is
// loaded when the first module comes that is worth it.

import { native } from "../engine/native.ts";
import type { Backend } from "./backend.ts";
import { worthwhile } from "./bytes.ts";
import { backendNow, backendSoon } from "./loading.ts";
import { isOff } from "./settings.ts";

/** Names of the calls that are replaced. */
const NAMES = ["compile", "compileStreaming", "instantiate", "instantiateStreaming", "Module"] as const;
type Name = typeof NAMES[number];
type Call = (...given: unknown[]) => Promise<unknown>;

const original = Object.fromEntries(
  NAMES.map((name) => [name, Object.getOwnPropertyDescriptor(WebAssembly, name)]),
) as Record<Name, PropertyDescriptor | undefined>;
const originalConstructor = Object.getOwnPropertyDescriptor(native.Module.prototype, "constructor")!;

let isActive = false;
/** What compiles now belongs to the cache, or to what it makes the runtime load. */
let isBusy = false;

/**
 * Puts one cache behind `WebAssembly.compile`, `instantiate`, `compileStreaming`, `instantiateStreaming` and
 * `new WebAssembly.Module` of this thread; does nothing where it is there already, or `WASM_CACHE=off`.
 *
 * What was replaced behaves as before: modules are distinct objects, errors are of the same classes, and what the cache
 * does not serve goes to the runtime untouched: modules under 4 KB, shared and resizable buffers, compile options,
 * subclasses.
 */
export function register(): void {
  if (isActive || isOff()) return;
  isActive = true;
  for (const name of NAMES) {
    if (original[name]) Object.defineProperty(WebAssembly, name, { ...original[name], value: replacements[name] });
  }
  Object.defineProperty(native.Module.prototype, "constructor", { ...originalConstructor, value: replacements.Module });
}

/** Puts everything back; what somebody else replaced since stays, and comes to the runtime. */
export function unregister(): void {
  isActive = false;
  for (const name of NAMES) putBack(WebAssembly, name, original[name], replacements[name]);
  putBack(native.Module.prototype, "constructor", originalConstructor, replacements.Module);
}

function putBack(holder: object, name: string, descriptor: PropertyDescriptor | undefined, ours: unknown): void {
  const { value } = Object.getOwnPropertyDescriptor(holder, name) ?? {};
  if (descriptor && value === ours) Object.defineProperty(holder, name, descriptor);
}

const replacements = makeReplacements();

function makeReplacements(): Record<Name, unknown> {
  const calls: Record<Exclude<Name, "Module">, (target: Call, given: unknown[]) => Promise<unknown> | undefined> = {
    compile: (_target, [code, options]) => compiled(code, options),
    instantiate: (_target, [code, imports, options]) => {
      const module = isImports(imports) ? compiled(code, options) : undefined;
      return module && instantiated("instantiate", module, imports as WebAssembly.Imports | undefined);
    },
    compileStreaming: (target, [source, options]) => options === undefined ? streamed(target, source) : undefined,
    instantiateStreaming: (target, [source, imports, options]) =>
      options === undefined && isImports(imports) ? instantiatedStream(target, source, imports) : undefined,
  };
  const proxies = Object.entries(calls).map(([name, call]) => [
    name,
    original[name as Name] && new Proxy(original[name as Name]!.value as Call, {
      apply: (target, self, given) =>
        (isServed() ? call(target, given) : undefined) ?? Reflect.apply(target, self, given),
    }),
  ]);
  const Module: typeof native.Module = new Proxy(native.Module, {
    construct(target, [code, options], newTarget) {
      const bytes = isServed() && newTarget === Module && options === undefined ? worthwhile(code) : undefined;
      const backend = bytes && alone(backendNow);
      if (backend) return alone(() => backend.compileSync(bytes));
      const given = options === undefined ? [code] : [code, options];
      return Reflect.construct(target, given, newTarget === Module ? target : newTarget);
    },
  });
  return { ...Object.fromEntries(proxies), Module };
}

function isServed(): boolean {
  return isActive && !isBusy;
}

/** What is compiled in between, by Node's own fetch or for its TypeScript, goes to the runtime. */
function alone<T>(body: () => T): T {
  isBusy = true;
  try {
    return body();
  } finally {
    isBusy = false;
  }
}

/** A promise of the module where the cache serves the code. */
function compiled(code: unknown, options: unknown): Promise<WebAssembly.Module> | undefined {
  const bytes = options === undefined ? worthwhile(code) : undefined;
  if (!bytes) return undefined;
  const backend = alone(backendNow);
  if (backend) return alone(() => backend.compile(bytes));
  // What the caller does to the code after the call changes nothing.
  const copy = bytes.slice();
  return backendSoon().then((backend) => backend.compile(copy));
}

async function instantiated(
  call: string,
  module: Promise<WebAssembly.Module>,
  imports: WebAssembly.Imports | undefined,
): Promise<WebAssembly.WebAssemblyInstantiatedSource> {
  const compiled = await named(module, call);
  return { module: compiled, instance: await native.instantiate(compiled, imports) };
}

/** As the runtime's own call, where the source is no response of WebAssembly. */
async function streamed(target: Call, source: unknown): Promise<unknown> {
  const response = await source;
  const backend = await backendSoon();
  if (!isServed() || !alone(() => isWorthwhile(backend, response))) return await target(response);
  return await named(alone(() => backend.compileStreaming(response as Response)), "compileStreaming");
}

async function instantiatedStream(
  target: Call,
  source: unknown,
  imports: WebAssembly.Imports | undefined,
): Promise<unknown> {
  const response = await source;
  const backend = await backendSoon();
  if (!isServed() || !alone(() => isWorthwhile(backend, response))) return await target(response, imports);
  return await instantiated(
    "instantiateStreaming",
    alone(() => backend.compileStreaming(response as Response)),
    imports,
  );
}

function isWorthwhile(backend: Backend, response: unknown): boolean {
  return backend.isResponse(response) && !(Number(response.headers.get("content-length") ?? Infinity) < 4096);
}

/** The runtime's error names the call that was made. */
async function named<T>(result: Promise<T>, call: string): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw new WebAssembly.CompileError(error.message.replace(/^WebAssembly\.\w+\(\)/, `WebAssembly.${call}()`));
  }
}

function isImports(imports: unknown): imports is WebAssembly.Imports | undefined {
  return imports === undefined || typeof imports === "function" || (typeof imports === "object" && imports !== null);
}
