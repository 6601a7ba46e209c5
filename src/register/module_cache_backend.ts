// The cache behind the replaced calls: loaded when the first module comes that is worth it.

import { ModuleCache } from "../cache.ts";
import type { Resolved } from "../context.ts";
import type { Engine } from "../engine/engine.ts";
import { compiling, hostEngine } from "../engine/host.ts";
import { native } from "../engine/native.ts";
import type { ModuleCacheOptions } from "../options.ts";
import { detectPlatform } from "../platform/detect.ts";
import { requireSync } from "../platform/require.ts";
import type { V8EngineFactory } from "../v8/engine.ts";
import { trace } from "./loading.ts";
import type { Settings } from "./settings.ts";

export { native } from "../engine/native.ts";

/** Compiles through one cache; each call gives a module of its own, as the runtime's calls do. */
export interface Backend {
  /** `WebAssembly.compile`. */
  compile(code: Uint8Array): Promise<WebAssembly.Module>;
  /** `new WebAssembly.Module`. */
  compileSync(code: Uint8Array): WebAssembly.Module;
  /** `WebAssembly.compileStreaming`, for what is a response of WebAssembly. */
  compileStreaming(response: Response): Promise<WebAssembly.Module>;
}

/** What the runtime compiled before the cache was there. */
export interface Compiled {
  /** The code, a copy of ours. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Its module. */
  readonly module: WebAssembly.Module;
}

/**
 * Makes the cache of a process.
 *
 * @param meanwhile What the runtime compiled already, in order: the cache looks it up now.
 */
export function makeBackend(settings: Settings, meanwhile: readonly Compiled[] = []): Backend {
  const known = [...meanwhile];
  const cache = new ModuleCache(optionsOf(settings, known));
  const given = new WeakSet(known.map(({ module }) => module));
  const own = ({ elapsedMs, from, key, module }: Resolved, bytes: number | string) => {
    trace(settings, `${from} ${key} ${bytes} bytes ${elapsedMs.toFixed(2)} ms`);
    // Who gets the module first has it to himself; structured clones share the compiled code.
    if (given.has(module)) return native.structuredClone(module);
    given.add(module);
    return module;
  };
  const backend: Backend = {
    compile: async (code) => own(await cache.resolve(code), code.length),
    compileSync: (code) => own(cache.resolveSync(code), code.length),
    compileStreaming: async (response) => {
      const length = response.headers.get("content-length") ?? "?";
      return own(await cache.resolveStreaming(response), length);
    },
  };
  void Promise.allSettled(known.map(({ code }) => backend.compile(code))).then(() => known.length = 0);
  return backend;
}

function optionsOf(settings: Settings, known: readonly Compiled[]): ModuleCacheOptions {
  const { engine, paysOnDisk } = engineOf(settings, known);
  const directory = settings.directory ?? (paysOnDisk ? settings.usualDirectory : undefined);
  const { maxDiskBytes } = settings;
  // What cannot be done is done without, silently.
  return { engine, directory, maxDiskBytes, onWarning: ({ code, message }) => trace(settings, `${code} ${message}`) };
}

function engineOf(settings: Settings, known: readonly Compiled[]): { engine: Engine; paysOnDisk: boolean } {
  const v8Engine = settings.engine === "host" ? undefined : loadV8Engine();
  const { available, reason } = v8Engine?.available() ?? { available: false, reason: "this is not Node, or a bundle" };
  if (settings.engine === "v8" && !available) trace(settings, `the V8 engine is not available: ${reason}`);
  const engine = available ? v8Engine!() : undefined;
  // Another copy of this library, where a bundle was made, would compile through the replaced calls.
  if (engine?.compile === compiling.compile) return { engine, paysOnDisk: true };
  return { engine: known.length > 0 ? knowing(known) : hostEngine(), paysOnDisk: false };
}

/** The host's engine, which need not compile what is known. */
function knowing(known: readonly Compiled[]): Engine {
  const host = hostEngine();
  const { equal } = detectPlatform();
  const find = (code: Uint8Array) =>
    known.find((each) => each.code.length === code.length && equal(each.code, code))?.module;
  const compile: Engine["compile"] = (code) => find(code) ?? host.compile(code);
  const compileSync: Engine["compileSync"] = (code) => find(code) ?? host.compileSync!(code);
  return { ...host, compile, compileSync, deserialize: compile, deserializeSync: compileSync };
}

/** Deno would load its files with every program, if they were imported here; only Node can use them. */
function loadV8Engine(): V8EngineFactory | undefined {
  if (detectPlatform().name !== "node") return undefined;
  const loaded = requireSync(import.meta.url, "../v8/engine") as { v8Engine?: V8EngineFactory } | undefined;
  return typeof loaded?.v8Engine === "function" ? loaded.v8Engine : undefined;
}
