// Where Wasmtime's library is.

/** Finds the library. */
export function findLibrary(library?: string | URL): { path: string } | { reason: string } {
  const { process } = globalThis as unknown as { process: { env: Record<string, string | undefined> } };
  const path = library instanceof URL ? library.pathname : library ?? process.env.WASM_CACHE_WASMTIME;
  return path === undefined ? { reason: "there is no library" } : { path };
}

/** Why this process cannot use it. */
export function whyNotHere(): string | undefined {
  return undefined;
}
