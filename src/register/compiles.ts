// What the replaced calls need of a cache. Types only.

import type { Counters } from "../counters.ts";

/** Compiles through one cache. Each call returns a module of its own, as the runtime's calls do. */
export interface Backend {
  /** What its lookups did. */
  readonly counters: Counters;
  /** How long they took, ms in all. */
  readonly took: { ms: number };
  /** `WebAssembly.compile`. */
  compile(code: Uint8Array): Promise<WebAssembly.Module>;
  /** `new WebAssembly.Module`. */
  compileSync(code: Uint8Array): WebAssembly.Module;
  /** `WebAssembly.compileStreaming`, for plain responses of WebAssembly. */
  compileStreaming(response: Response): Promise<WebAssembly.Module>;
}
