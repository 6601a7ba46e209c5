// A process of its own, with few permissions: looks up with an engine for machine code. Argument: directory.

import { ModuleCache } from "@wasm/module-cache";

const [directory = ""] = Deno.args;
const codes: string[] = [];
const cache = new ModuleCache({
  directory,
  engine: { id: "native", native: true, compile: () => 7, serialize: () => Uint8Array.of(7), deserialize: () => 7 },
  onWarning: ({ code }) => codes.push(code),
});
const { from } = await cache.resolve(Uint8Array.of(1));
console.log([from, cache.status().disk, ...codes].join(" "));
