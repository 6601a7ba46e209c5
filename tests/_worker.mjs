// A worker that is handed a module, and tells of it and of what was compiled meanwhile.

import { parentPort } from "node:worker_threads";

let compiles = 0;
WebAssembly.Module = new Proxy(WebAssembly.Module, {
  construct: (...given) => (compiles++, Reflect.construct(...given)),
});
parentPort.on("message", (module) => {
  const isModule = module instanceof WebAssembly.Module;
  parentPort.postMessage({ exports: WebAssembly.Module.exports(module).length, isModule, compiles });
});
