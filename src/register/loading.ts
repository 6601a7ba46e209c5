// Loads the cache when it is needed: at once where the runtime can load modules synchronously, else soon.

import type { Backend } from "./backend.ts";
import { requireSync } from "../platform/require.ts";
import { readSettings } from "./settings.ts";

type Loaded = typeof import("./backend.ts");

let backend: Backend | undefined;
let loading: Promise<Backend> | undefined;

/** The cache, where it can be had without waiting; otherwise it will be there later. */
export function backendNow(): Backend | undefined {
  const loaded = backend ? undefined : requireSync<Loaded>(import.meta.url, "./backend");
  if (loaded) backend = loaded.makeBackend(readSettings());
  else if (!backend) backendSoon();
  return backend;
}

/** The cache. */
export function backendSoon(): Promise<Backend> {
  if (backend) return Promise.resolve(backend);
  return loading ??= import("./backend.ts").then(({ makeBackend }) => backend ??= makeBackend(readSettings()));
}
