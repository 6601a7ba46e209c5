// Preloaded: what a program makes by `new WebAssembly.Module` comes through a cache of the V8 engine.

import { writeSync } from "node:fs";
import process from "node:process";
import { ModuleCache } from "@wasm/module-cache";
import { v8Engine } from "@wasm/module-cache/v8";

const cache = new ModuleCache({ engine: v8Engine(), directory: process.env.V8_TEST_DIRECTORY, strict: true });
const { Module } = WebAssembly;
let isBusy = false;
WebAssembly.Module = new Proxy(Module, {
  construct: (_target, [code]) => {
    if (isBusy) return new Module(code);
    isBusy = true;
    try {
      const { module, from } = cache.resolveSync(code);
      writeSync(2, `from ${from}\n`);
      return module;
    } finally {
      isBusy = false;
    }
  },
});
