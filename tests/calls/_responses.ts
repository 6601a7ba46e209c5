// What the tests of calls share: responses, and a count of what the runtime compiles.

import { native } from "../../src/engine/runtime.ts";
import { WASM } from "../_server.ts";

/** Bun gives up after 5 s otherwise, also where the machine is busy. */
export const options = { timeout: 60_000 };

/** A response as a server of WebAssembly gives it. */
export function response(body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = WASM): Response {
  return new Response(body, { headers });
}

/** Counts what the runtime compiles while a body runs. */
export async function compilesDuring(body: () => Promise<void>): Promise<number> {
  const { compile } = native;
  const compileStreaming = native.compileStreaming!;
  let compiles = 0;
  Object.assign(native, {
    compile: (...given: Parameters<typeof compile>) => (compiles++, compile(...given)),
    compileStreaming: (...given: Parameters<typeof compileStreaming>) => (compiles++, compileStreaming(...given)),
  });
  try {
    await body();
  } finally {
    Object.assign(native, { compile, compileStreaming });
  }
  return compiles;
}
