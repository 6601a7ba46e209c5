// The cache behind the replaced calls: loaded when the first module arrives that is worth it.

import { openContext, type Resolved } from "../context.ts";
import { runAsync, runSync } from "../effect.ts";
import type { Engine } from "../engine/engine.ts";
import { compiling, hostEngine } from "../engine/host.ts";
import { native } from "../engine/runtime.ts";
import { lookup } from "../lookup.ts";
import { memoryLimits } from "../options.ts";
import { isName, resolveStreaming } from "../calls/streaming.ts";
import { detectPlatform } from "../platform/detect.ts";
import type { Backend } from "./compiles.ts";
import { makeNativeBackend } from "./native_backend.ts";
import { requireSync } from "./program.ts";
import type { V8EngineFactory } from "../v8/engine.ts";
import { say, type Settings, trace } from "./settings.ts";
import { SharedMemory } from "./shared_memory.ts";
import { optionsOf } from "./storage.ts";

export { native } from "../engine/runtime.ts";

/** A module that the runtime compiled before the cache was loaded. */
export interface Compiled {
  /** The code, our own copy. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Its module. */
  readonly module: WebAssembly.Module;
}

/**
 * Creates the cache of a process.
 *
 * @param meanwhile Modules that the runtime compiled meanwhile, in order: the cache looks them up now.
 */
export function makeBackend(settings: Settings, meanwhile: readonly Compiled[] = []): Backend {
  if (settings.facade) return makeNativeBackend(settings, settings.facade);
  const known = [...meanwhile];
  const { engine, paysOnDisk } = engineOf(settings, known);
  const options = optionsOf(settings, engine, paysOnDisk);
  const opened = openContext(options);
  const { equal } = opened.platform;
  const memory = new SharedMemory(engine.id, memoryLimits(options), equal, opened.teller.evicted);
  const context = { ...opened, memory };
  const { storage } = context;
  const flush = async () => typeof storage !== "string" && await storage.behind.flush();
  const took = { ms: 0 };
  const given = new WeakSet(known.map(({ module }) => module));
  const own = ({ elapsedMs, from, key, module }: Resolved, bytes: number | string) => {
    trace(settings, `${from} ${key} ${bytes} bytes ${elapsedMs.toFixed(2)} ms`);
    took.ms += elapsedMs;
    // A write in the background can no longer throw.
    if (settings.strict) flush().catch(({ code, message }) => say(`${code} ${message}`));
    // The first caller gets the module itself; others get clones that share the compiled code.
    if (given.has(module)) return native.share(module);
    given.add(module);
    return module;
  };
  const backend: Backend = {
    counters: context.counters,
    took,
    compile: async (code) => own(await runAsync(lookup(context, code)), code.length),
    compileSync: (code) => own(runSync(lookup(context, code)), code.length),
    compileStreaming: async (response) => {
      const length = response.headers.get("content-length") ?? "?";
      // A module that this worker may have inherited need not be compiled while it arrives.
      if (memory.mayInherit(Number(length)) && isName(response.url)) context.seenUrls.set(response.url, true);
      return own(await resolveStreaming(context, response), length);
    },
  };
  void Promise.allSettled(known.map(({ code }) => backend.compile(code))).then(() => known.length = 0);
  return backend;
}

function engineOf(settings: Settings, known: readonly Compiled[]): { engine: Engine; paysOnDisk: boolean } {
  const v8Engine = settings.engine === "host" ? undefined : loadV8Engine();
  const { available, reason } = v8Engine?.available() ?? { available: false, reason: "this is not Node, or a bundle" };
  if (settings.engine === "v8" && !available) trace(settings, `the V8 engine is not available: ${reason}`);
  const engine = available ? v8Engine!() : undefined;
  // In a bundle this may be another copy of the library, which would compile through the replaced calls.
  if (engine?.compile === compiling.compile) return { engine, paysOnDisk: true };
  return { engine: known.length > 0 ? knowing(known) : hostEngine(), paysOnDisk: false };
}

/** The host engine, which does not compile what is already compiled. */
function knowing(known: readonly Compiled[]): Engine {
  const host = hostEngine();
  const { equal } = detectPlatform();
  const find = (code: Uint8Array) =>
    known.find((each) => each.code.length === code.length && equal(each.code, code))?.module;
  const compile: Engine["compile"] = (code) => find(code) ?? host.compile(code);
  const compileSync: Engine["compileSync"] = (code) => find(code) ?? host.compileSync!(code);
  return { ...host, compile, compileSync, deserialize: compile, deserializeSync: compileSync };
}

/** An import here would have Deno load these files with every program; only Node can use them. */
function loadV8Engine(): V8EngineFactory | undefined {
  if (detectPlatform().name !== "node") return undefined;
  const loaded = requireSync(import.meta.url, "../v8/engine") as { v8Engine?: V8EngineFactory } | undefined;
  return typeof loaded?.v8Engine === "function" ? loaded.v8Engine : undefined;
}
