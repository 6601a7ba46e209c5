// Looks one code up by an engine that maps, and tells how it was served. Argument: directory.

import { ModuleCache } from "@wasm/module-cache";
import process from "node:process";

const told: string[] = [];
const give = (by: string) => () => (told.push(by), by);
const engine = { id: "maps", native: true, compile: give("compiled"), serialize: () => Uint8Array.of(1) };
for (let i = 0; i < 2; i++) {
  const cache = new ModuleCache({
    engine: { ...engine, deserialize: give("bytes"), deserializeFile: give("file") },
    directory: process.argv[2],
    strict: true,
  });
  await cache.resolve(Uint8Array.of(7));
}
console.log(JSON.stringify(told));
