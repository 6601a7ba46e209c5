// The cache behind the replaced calls when Wasmtime runs the modules. What it refuses, and what is too small, goes to
// the runtime.

import { openContext, type Resolved } from "../context.ts";
import { runAsync, runSync } from "../effect.ts";
import type { Engine } from "../engine/engine.ts";
import { native } from "../engine/runtime.ts";
import type { ModuleCacheOptions } from "../options.ts";
import { lookup } from "../lookup.ts";
import type { NativeModule } from "../wasmtime/module.ts";
import type { Backend } from "./compiles.ts";
import { type Settings, trace } from "./settings.ts";
import { optionsOf } from "./storage.ts";

/** Creates the cache of a process whose modules Wasmtime runs. */
export function makeNativeBackend(settings: Settings, facade: Required<Settings>["facade"]): Backend {
  const options: unknown = optionsOf(settings, facade.engine as unknown as Engine, true);
  const context = openContext(options as ModuleCacheOptions<NativeModule>);
  const took = { ms: 0 };
  const told = ({ elapsedMs, from, key, module }: Resolved<NativeModule>, { length }: Uint8Array) => {
    trace(settings, `${from} ${key} ${length} bytes ${elapsedMs.toFixed(2)} ms`);
    took.ms += elapsedMs;
    return facade.presented(module);
  };
  /** What was refused is compiled by the runtime, which says what is wrong if anything is. */
  const refused = (error: unknown) => {
    if (!(error instanceof native.CompileError)) throw error;
    trace(settings, "left to the runtime", error.message);
  };
  const { minBytes } = facade;
  const found = async (code: Uint8Array<ArrayBuffer>) => {
    facade.check(code);
    return told(await runAsync(lookup(context, code)), code);
  };
  const compile = async (given: Uint8Array) => {
    // The caller may change it.
    const code = given.slice();
    const made = code.length < minBytes ? facade.small(code) : await found(code).catch(refused);
    return made ?? facade.remembered(await native.compile(code), code);
  };
  return {
    counters: context.counters,
    took,
    compile,
    compileSync: (given) => {
      const code = given.slice();
      return madeSync(code) ?? facade.remembered(new native.Module(code), code);
    },
    compileStreaming: async (response) => await compile(new Uint8Array(await response.arrayBuffer())),
  };

  function madeSync(code: Uint8Array<ArrayBuffer>): WebAssembly.Module | undefined {
    if (code.length < minBytes) return facade.small(code);
    try {
      facade.check(code);
      return told(runSync(lookup(context, code)), code);
    } catch (error) {
      return refused(error) as undefined;
    }
  }
}
