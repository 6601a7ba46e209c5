// A process of its own: looks up with an engine whose artifacts are large. Arguments: directory, bytes, "sync" or "async".

import { ModuleCache } from "@wasm/module-cache";
import process from "node:process";

const [directory, length, way] = process.argv.slice(2);
const causes: unknown[] = [];
const cache = new ModuleCache({
  directory,
  engine: { id: "large", compile: () => 7, serialize: () => new Uint8Array(Number(length)), deserialize: () => 7 },
  onWarning: ({ code, cause }) => causes.push(code, (cause as { code?: unknown }).code),
});
const code = Uint8Array.of(1);
const { from } = way === "sync" ? cache.resolveSync(code) : await cache.resolve(code);
console.log(JSON.stringify([from, ...causes]));
