// A process of its own: looks a code up with an engine that is slow and logs each compile. Arguments: directory, log, text.

import { ModuleCache } from "@wasm/module-cache";
import { appendFileSync } from "node:fs";
import process from "node:process";
import { bytes, TextEngine } from "./_tools.ts";

const [directory = "", log = "", content = ""] = process.argv.slice(2);
const quick = new TextEngine("slow");
const cache = new ModuleCache({
  directory,
  strict: true,
  engine: {
    id: quick.id,
    compile: async (code) => {
      appendFileSync(log, `${process.pid}\n`);
      await new Promise((resolve) => setTimeout(resolve, 700));
      return quick.compile(code);
    },
    serialize: (module) => quick.serialize(module),
    deserialize: (artifact) => quick.deserialize(artifact),
  },
});
const { module, from } = await cache.resolve(bytes(content));
console.log(JSON.stringify({ text: module.text, from }));
