// Loads the cache when it is needed: at once if the runtime or a bundle can load modules synchronously, otherwise soon.
// If that fails, everything is left to the runtime.

import { native } from "../engine/runtime.ts";
import { requireSync } from "./program.ts";
import type { Compiled } from "./backend.ts";
import type { Backend } from "./compiles.ts";
import { type Settings, trace } from "./settings.ts";

let backend: Backend | undefined;
let loading: Promise<Backend | undefined> | undefined;
let hasFailed = false;

/** Modules that the runtime compiled while the cache was loading; the cache takes them over. */
let meanwhile: Compiled[] = [];
let meanwhileBytes = 0;
/** Most bytes of code, and most modules, taken over. */
const [MAX_BYTES, MAX_MODULES] = [256 * 1024 * 1024, 1000];

/** One line that sums up what the cache did, for people. */
export function summary(): string {
  const { counters, took } = backend ?? {};
  if (!counters || !took) return "0 lookups";
  const { compiled, diskHits, failed, memoryHits, recompiled, savedMs } = counters;
  const parts = { "from memory": memoryHits, "from disk": diskHits, "compiled": compiled + recompiled, failed };
  const sum = Object.values(parts).reduce((sum, count) => sum + count);
  const counts = Object.entries(parts).filter(([, count]) => count > 0).map(([name, count]) => `${count} ${name}`);
  return `${sum} lookups (${counts.join(", ") || "none"}) took ${took.ms.toFixed(0)} ms, saved ${
    savedMs.toFixed(0)
  } ms`;
}

/** The cache, if it can be loaded without waiting; otherwise starts loading it. */
export function backendNow(settings: Settings): Backend | undefined {
  if (!backend && !hasFailed && !loading) {
    const loaded = requireBundled() ?? requireSync(import.meta.url, "./backend");
    if (isThisLibrary(loaded)) open(loaded, settings);
    else void backendSoon(settings);
  }
  return backend;
}

/** The cache; `undefined` if it cannot be loaded. */
export function backendSoon(settings: Settings): Promise<Backend | undefined> {
  if (backend || hasFailed) return Promise.resolve(backend);
  return loading ??= import("./backend.ts").then(
    (loaded) => open(loaded, settings),
    (error) => fail(error, settings),
  );
}

/**
 * Compiles code that cannot wait for the cache, each only once; the cache takes the module over when it is loaded.
 * Waiting at the import instead, by a top-level await, would cost every program that time, and neither a CommonJS
 * bundle nor `require()` could load `register`.
 */
export function compileMeanwhile(settings: Settings, bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  if (hasFailed) return new native.Module(bytes);
  const known = meanwhile.find(({ code }) => isSame(code, bytes));
  const module = known ? native.share(known.module) : new native.Module(bytes);
  if (!known) meanwhileBytes += bytes.length;
  const hasRoom = meanwhileBytes <= MAX_BYTES && meanwhile.length < MAX_MODULES;
  if (hasRoom) meanwhile.push({ code: known?.code ?? bytes.slice(), module });
  else trace(settings, "not served: still loading");
  return module;
}

function isSame(code: Uint8Array, other: Uint8Array): boolean {
  if (code.length !== other.length) return false;
  for (let i = 0; i < code.length; i++) if (code[i] !== other[i]) return false;
  return true;
}

declare const require: (path: string) => object;

/** For bundles: a literal `require` makes bundlers, Deno's too, include the file so that it loads without waiting. */
function requireBundled(): object | undefined {
  // The global `require` of `node -e` would load files of the working directory.
  if ("require" in globalThis) return undefined;
  try {
    return require("./backend.ts");
  } catch {
    return undefined;
  }
}

type BackendModule = typeof import("./backend.ts");

/** A bundle may contain this file's original path. A copy found there would take our calls for the runtime's. */
function isThisLibrary(loaded: object | undefined): loaded is BackendModule {
  return (loaded as Partial<BackendModule> | undefined)?.native === native;
}

function open(loaded: object, settings: Settings): Backend | undefined {
  try {
    if (!isThisLibrary(loaded)) throw new TypeError("its file is another's");
    backend ??= loaded.makeBackend(settings, meanwhile);
    meanwhile = [];
  } catch (error) {
    fail(error, settings);
  }
  return backend;
}

function fail(error: unknown, settings: Settings): undefined {
  hasFailed = true;
  meanwhile = [];
  trace(settings, "not served: the cache cannot be loaded", error);
}
