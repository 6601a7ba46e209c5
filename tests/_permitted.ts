// A process of its own that touches nothing but the cache: what it needs permissions for is what the cache needs.
// Argument: directory.

import { ModuleCache } from "@wasm/module-cache";

const [directory] = (globalThis as unknown as { Deno: { args: string[] } }).Deno.args;
const text = new TextDecoder();
const cache = new ModuleCache({
  directory,
  strict: true,
  engine: {
    id: "text",
    compile: (code) => text.decode(code),
    serialize: (module) => new TextEncoder().encode(module),
    deserialize: (artifact) => text.decode(artifact),
  },
});
const { from } = await cache.resolve(new TextEncoder().encode("hello"));
console.log(JSON.stringify({ from, disk: cache.status().disk }));
