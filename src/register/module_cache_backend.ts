// The cache behind the replaced calls: loaded when the first module comes that is worth it.

import type { Resolved } from "../context.ts";
import { runAsync, runSync } from "../effect.ts";
import type { Engine } from "../engine/engine.ts";
import { hostEngine } from "../engine/host.ts";
import { native } from "../engine/native.ts";
import { lookup } from "../lookup.ts";
import { memoryLimits, openContext } from "../options.ts";
import { checkResponse, resolveStreaming } from "../streaming.ts";
import { detectPlatform } from "../platform/detect.ts";
import { requireSync } from "../platform/require.ts";
import type { V8EngineFactory } from "../v8/engine.ts";
import { say, type Settings } from "./settings.ts";
import { SharedMemory } from "./shared_memory.ts";
import { optionsOf } from "./storage.ts";

/** Compiles through one cache; each call gives a module of its own, as the runtime's calls do. */
export interface Backend {
  /** `WebAssembly.compile`. */
  compile(code: Uint8Array): Promise<WebAssembly.Module>;
  /** `new WebAssembly.Module`. */
  compileSync(code: Uint8Array): WebAssembly.Module;
  /** `WebAssembly.compileStreaming`, for what is a response of WebAssembly. */
  compileStreaming(response: Response): Promise<WebAssembly.Module>;
  /** Whether a value is such a response. */
  isResponse(response: unknown): response is Response;
}

/** Makes the cache of a process. */
export function makeBackend(settings: Settings): Backend {
  const trace = settings.traces ? say : () => {};
  const { engine, paysOnDisk } = engineOf(settings, trace);
  const options = optionsOf(settings, engine, paysOnDisk);
  const memory = new SharedMemory(engine.id, memoryLimits(options), detectPlatform().equal);
  const context = { ...openContext(options), memory };
  const { storage } = context;
  const flush = async () => typeof storage !== "string" && await storage.behind.flush();
  const given = new WeakSet<WebAssembly.Module>();
  const own = ({ elapsedMs, from, key, module }: Resolved, bytes: number | string) => {
    trace(`${from} ${key} ${bytes} bytes ${elapsedMs.toFixed(2)} ms`);
    // What is written in the background cannot throw any more.
    if (settings.strict) flush().catch(({ code, message }) => say(`${code} ${message}`));
    // Who gets the module first has it to himself; others share the compiled code.
    if (given.has(module)) return native.share(module);
    given.add(module);
    return module;
  };
  return {
    compile: async (code) => own(await runAsync(lookup(context, code)), code.length),
    compileSync: (code) => own(runSync(lookup(context, code)), code.length),
    compileStreaming: async (response) => {
      const length = response.headers.get("content-length") ?? "?";
      // What a worker may have inherited need not be compiled while it arrives.
      if (memory.mayInherit(Number(length)) && response.url) context.seenUrls.set(response.url, true);
      return own(await resolveStreaming(context, response), length);
    },
    isResponse,
  };
}

function engineOf({ engine }: Settings, trace: (line: string) => void): { engine: Engine; paysOnDisk: boolean } {
  const v8Engine = engine === "host" ? undefined : loadV8Engine();
  const { available, reason } = v8Engine?.available() ?? { available: false, reason: "this is not Node, or a bundle" };
  if (engine === "v8" && !available) trace(`the V8 engine is not available: ${reason}`);
  return available ? { engine: v8Engine!(), paysOnDisk: true } : { engine: hostEngine(), paysOnDisk: false };
}

/** Deno would load its files with every program, if they were imported here; only Node can use them. */
function loadV8Engine(): V8EngineFactory | undefined {
  if (detectPlatform().name !== "node") return undefined;
  const loaded = requireSync(import.meta.url, "../v8/engine") as { v8Engine?: V8EngineFactory } | undefined;
  return typeof loaded?.v8Engine === "function" ? loaded.v8Engine : undefined;
}

function isResponse(response: unknown): response is Response {
  try {
    checkResponse(response);
    return true;
  } catch {
    return false;
  }
}
