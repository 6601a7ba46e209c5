// Puts a cache behind the calls of the `WebAssembly` namespace, and takes it away again. Loads little: the cache itself
// is loaded when the first module arrives that is worth it. `guarded` keeps the cache's faults from the program.

import { native } from "../engine/runtime.ts";
import { atEnd } from "../platform/environment.ts";
import { isCalledByNode, isImport, requireSync, whyNotServed } from "./program.ts";
import { isPlainPromise, isWorthwhile, worthwhile } from "./worthwhile.ts";
import { putBackAll, replace, type Replacement } from "./replacing.ts";
import { backendNow, backendSoon, compileMeanwhile, summary } from "./loading.ts";
import { isOff, readSettings, say, type Settings, trace } from "./settings.ts";

/** Names of the calls that are replaced. */
const NAMES = ["compile", "compileStreaming", "instantiate", "instantiateStreaming", "Module"] as const;
type Name = typeof NAMES[number];
type FacadeModule = typeof import("../wasmtime/facade/facade.ts");
type Facade = ReturnType<FacadeModule["makeFacade"]>;
type Call = (...given: unknown[]) => Promise<unknown>;
type Served = Promise<unknown> | undefined;
/** The function that stands in for a call: its caller is the caller of that call. */
type Trap = (...given: never[]) => unknown;

let settings: Settings | undefined;
/** What takes the place of the namespace's classes, or why there is nothing; made once. */
let facade: Facade | undefined;
/** Whether the line for the end is ordered. */
let isSummarized = false;
/** Set while the cache works: compiles now are its own, or those of code that it makes the runtime load. */
let isBusy = false;

/**
 * Puts one cache behind `WebAssembly.compile`, `instantiate`, `compileStreaming`, `instantiateStreaming` and
 * `new WebAssembly.Module` of this thread. Does nothing if it has been called already, if `WASM_CACHE=off`, if the
 * namespace is frozen, or on Node before 22.18.
 *
 * The calls behave as before: each returns a module of its own, and errors have the same classes. Passed on to the
 * runtime untouched are modules under 64 KB, shared and resizable buffers, DataViews, compile options, subclasses,
 * responses other than plain ones of type `application/wasm`, and what Node compiles for itself. If the cache has a
 * fault, the runtime compiles. `Function.prototype.toString` shows the difference, and so does the place that an error
 * names as its origin.
 */
export function register(): void {
  if (settings || isOff() || !native.Module) return;
  const read = readSettings();
  const reason = whyNotServed();
  if (reason !== undefined) return trace(read, `not served: ${reason}`);
  const chosen = read.engine === "wasmtime" ? facing(read) : read;
  const wanted: Replacement[] = NAMES.map((name) => ({
    holder: WebAssembly,
    name,
    changed: { value: replacements[name] },
  }));
  wanted.push({ holder: native.Module.prototype, name: "constructor", changed: { value: replacements.Module } });
  // What Wasmtime has made must go on working.
  if (chosen.facade && !replace(chosen.facade.replacements, { isKept: true })) return;
  if (!replace(wanted)) return;
  settings = chosen;
  if (chosen.summarizes && !isSummarized) atEnd(() => say(summary()));
  isSummarized ||= chosen.summarizes;
}

/** The settings with a façade, behind which every module goes through the cache, or what is used without one. */
function facing(read: Settings): Settings {
  facade ??= madeFacade();
  if (typeof facade !== "string") return { ...read, minBytes: 0, facade: { ...facade, minBytes: read.minBytes } };
  trace(read, `the Wasmtime engine is not available: ${facade}`);
  return { ...read, engine: "auto" };
}

function madeFacade(): Facade {
  const loaded = requireSync(import.meta.url, "../wasmtime/facade/facade") as FacadeModule | undefined;
  return loaded?.native === native ? loaded.makeFacade() : "its files cannot be loaded without waiting";
}

/**
 * Puts the runtime's calls back. A call that someone else has replaced since, or a namespace that has been frozen
 * since, is left; calls then pass through to the runtime.
 */
export function unregister(): void {
  settings = undefined;
  putBackAll();
}

const replacements: Partial<Record<Name, unknown>> = native.Module ? makeReplacements(native.Module) : {};

function makeReplacements(NativeModule: typeof native.Module): Record<Name, unknown> {
  const calls: Record<Exclude<Name, "Module">, (target: Call, given: unknown[], trap: Trap) => Served> = {
    compile: (_target, [code, options], trap) => compiled("compile", code, options, trap),
    instantiate: (_target, [code, imports, options], trap) => {
      if (!isImports(imports)) return undefined;
      const { facade } = settings!;
      return facade && code instanceof native.Module
        ? facade.instantiate(code, imports)
        : instantiated(compiled("instantiate", code, options, trap), imports);
    },
    compileStreaming: (target, given) =>
      given[1] === undefined ? streamed("compileStreaming", target, given) : undefined,
    instantiateStreaming: (target, given) =>
      given[2] === undefined && isImports(given[1]) ? streamed("instantiateStreaming", target, given) : undefined,
  };
  const proxies = Object.entries(calls).map(([name, call]) => {
    const apply: ProxyHandler<Call>["apply"] = (target, self, given) =>
      (isServed() ? call(target, given, apply!) : undefined) ?? Reflect.apply(target, self, given);
    const target = native[name as keyof typeof calls] as Call | undefined;
    return [name, target && new Proxy(target, { apply })];
  });
  const Module = new Proxy(NativeModule, {
    construct: function construct(target, given, newTarget): object {
      if (newTarget !== Module) return Reflect.construct(target, given, newTarget);
      const bytes = isServed() ? worthwhile(given[0], settings!.minBytes) : undefined;
      const isTheirs = bytes &&
        (given[1] === undefined ? !isCalledByNode(construct) : guarded(() => isImport(construct, bytes, given[1])));
      const served = isTheirs ? guarded((settings) => constructed(settings, bytes)) : undefined;
      return served ?? Reflect.construct(target, given, target);
    },
  });
  return { ...Object.fromEntries(proxies), Module };
}

function isServed(): boolean {
  return settings !== undefined && !isBusy;
}

/**
 * The one place where the cache is called. Whatever it throws, the runtime compiles then, unless the cache is strict.
 * The checks before it do not throw: one more call on the stack would cost the look at the caller a microsecond.
 * Compiles meanwhile, for code that the cache or the runtime loads, go to the runtime.
 */
function guarded<T>(serve: (settings: Settings) => T): T | undefined {
  if (!settings || isBusy) return undefined;
  isBusy = true;
  try {
    return serve(settings);
  } catch (error) {
    // The runtime itself reports code that it rejects.
    if (!isEngines(error)) unserved(settings, error);
    return undefined;
  } finally {
    isBusy = false;
  }
}

/** Hides a fault of the cache, unless the user asked for it. */
function unserved(settings: Settings, error: unknown): void {
  if (settings.strict) throw error;
  trace(settings, "not served", error);
}

/** Whether an error is the runtime's rejection of code. */
function isEngines(error: unknown): error is WebAssembly.CompileError {
  return error instanceof native.CompileError;
}

/**
 * The module, if the cache serves the code. Code that arrives while the cache is loading is compiled by the runtime,
 * and handed to the cache afterwards.
 */
function constructed(settings: Settings, bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  const backend = backendNow(settings);
  return backend ? backend.compileSync(bytes) : compileMeanwhile(settings, bytes);
}

/** A promise of the module, if the cache serves the code. */
function compiled(call: Name, code: unknown, options: unknown, trap: Trap): Promise<WebAssembly.Module> | undefined {
  const bytes = options === undefined ? worthwhile(code, settings!.minBytes) : undefined;
  if (!bytes || isCalledByNode(trap)) return undefined;
  return guarded((settings) => {
    const backend = backendNow(settings);
    if (backend) return settled(call, backend.compile(bytes), () => native.compile(bytes));
    // The caller may change the code after the call.
    const copy = bytes.slice();
    const compiling = backendSoon(settings).then((backend) => (backend ?? native).compile(copy));
    return settled(call, compiling, () => native.compile(copy));
  });
}

/** Beginning of V8's messages. */
const PREFIX = /^WebAssembly\.\w+\(\)/;

/** The module, or the runtime's error as the call would give it. A fault of the cache is not an error. */
async function settled(
  call: Name,
  module: Promise<WebAssembly.Module>,
  compile: () => Promise<WebAssembly.Module>,
): Promise<WebAssembly.Module> {
  const named = (error: unknown) => {
    // Only V8's messages name the call, so only those are replaced: JavaScriptCore's own errors name their place better
    // than a new one would.
    const [prefix, said] = isEngines(error) ? error.message.split(PREFIX) : [];
    throw prefix === "" ? new native.CompileError(`WebAssembly.${call}()${said}`) : error;
  };
  try {
    return await module;
  } catch (error) {
    if (isEngines(error)) return named(error);
    if (settings) unserved(settings, error);
    return compile().catch(named);
  }
}

/** The module and its instance, if the cache serves the code. Errors of the instance are the runtime's own. */
function instantiated(
  module: Promise<WebAssembly.Module> | undefined,
  imports: WebAssembly.Imports | undefined,
): Promise<WebAssembly.WebAssemblyInstantiatedSource> | undefined {
  const facade = settings?.facade ?? native;
  return module?.then(async (module) => ({ module, instance: await facade.instantiate(module, imports) }));
}

/** Serves a response, or a promise of one. Only the runtime may look at any other source. */
function streamed(call: Name, target: Call, given: unknown[]): Served {
  const isKnown = guarded(({ minBytes }) => isPlainPromise(given[0]) || isWorthwhile(given[0], minBytes));
  return isKnown ? received(call, target, given) : undefined;
}

async function received(call: Name, target: Call, [source, ...rest]: unknown[]): Promise<unknown> {
  const [response] = await Promise.all([source, settings && backendSoon(settings)]);
  const module = guarded((settings) => {
    const backend = backendNow(settings);
    return backend && isWorthwhile(response, settings.minBytes) ? backend.compileStreaming(response) : undefined;
  });
  if (!module) return await target(source, ...rest);
  // A body cannot be read twice: its error goes to the caller.
  const compiling = settled(call, module, () => module);
  return await (call === "compileStreaming"
    ? compiling
    : instantiated(compiling, rest[0] as WebAssembly.Imports | undefined));
}

function isImports(imports: unknown): imports is WebAssembly.Imports | undefined {
  return imports === undefined || typeof imports === "function" || (typeof imports === "object" && imports !== null);
}
