// Loads the cache when it is needed: at once where the runtime or a bundle can load modules synchronously, else soon. Where
// that fails, everything goes to the runtime.

import { native } from "../engine/runtime.ts";
import { requireSync } from "./program.ts";
import type { Backend, Compiled } from "./backend.ts";
import { type Settings, trace } from "./settings.ts";

let backend: Backend | undefined;
let loading: Promise<Backend | undefined> | undefined;
let hasFailed = false;

/** What the runtime compiled while the cache was loading, for the cache to keep. */
let meanwhile: Compiled[] = [];
let meanwhileBytes = 0;
/** Bytes of code, and modules, that are kept so, at most. */
const [MAX_BYTES, MAX_MODULES] = [256 * 1024 * 1024, 1000];

/** The cache, where it can be had without waiting; otherwise it may be there later. */
export function backendNow(settings: Settings): Backend | undefined {
  if (!backend && !hasFailed && !loading) {
    const loaded = requireBundled() ?? requireSync(import.meta.url, "./backend");
    if (isThisLibrary(loaded)) open(loaded, settings);
    else void backendSoon(settings);
  }
  return backend;
}

/** The cache; `undefined` where it cannot be loaded. */
export function backendSoon(settings: Settings): Promise<Backend | undefined> {
  if (backend || hasFailed) return Promise.resolve(backend);
  return loading ??= import("./backend.ts").then(
    (loaded) => open(loaded, settings),
    (error) => fail(error, settings),
  );
}

/**
 * Compiles what cannot wait for the cache, each code once. The cache has the module when it is loaded. To wait at the
 * import instead, by a top-level await, would cost every program its time, and neither a CommonJS bundle nor a
 * `require()` could load `register`.
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

/** In a bundle: bundlers see a literal `require`, and put the file where it is had without waiting. Deno looks for it too. */
function requireBundled(): object | undefined {
  // The one that `node -e` has for all modules takes files of the working directory.
  if ("require" in globalThis) return undefined;
  try {
    return require("./backend.ts");
  } catch {
    return undefined;
  }
}

type BackendModule = typeof import("./backend.ts");

/** Bundles may know where this file was when they were made: a copy that lies there takes our calls for the runtime's. */
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
