// Loads the cache when it is needed: at once where the runtime can load modules synchronously, else soon. Where that fails,
// everything goes to the runtime.

import { requireSync } from "../platform/require.ts";
import type { Backend } from "./module_cache_backend.ts";
import type { Settings } from "./settings.ts";

let backend: Backend | undefined;
let loading: Promise<Backend | undefined> | undefined;
let hasFailed = false;

/** The cache, where it can be had without waiting; otherwise it may be there later. */
export function backendNow(settings: Settings): Backend | undefined {
  if (!backend && !hasFailed && !loading) {
    const loaded = requireSync(import.meta.url, "./module_cache_backend");
    if (loaded) open(loaded, settings);
    else void backendSoon(settings);
  }
  return backend;
}

/** The cache; `undefined` where it cannot be loaded. */
export function backendSoon(settings: Settings): Promise<Backend | undefined> {
  if (backend || hasFailed) return Promise.resolve(backend);
  return loading ??= import("./module_cache_backend.ts").catch(() => ({})).then((loaded) => open(loaded, settings));
}

function open(loaded: object, settings: Settings): Backend | undefined {
  try {
    backend ??= (loaded as typeof import("./module_cache_backend.ts")).makeBackend(settings);
  } catch {
    hasFailed = true;
  }
  return backend;
}
