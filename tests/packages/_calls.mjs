// Preloaded: at the end of the program, prints on stderr by which calls it compiled how many bytes. What the runtime
// itself compiles is left out.

import process from "node:process";

const MIN_BYTES = 4096;
const calls = [];

function note(name, code, below) {
  const holder = {};
  Error.captureStackTrace(holder, below);
  const [, caller = ""] = holder.stack.split("\n");
  if (!(code?.byteLength < MIN_BYTES) && !caller.includes("node:internal")) {
    calls.push({ name, bytes: code?.byteLength });
  }
}

for (const name of ["compile", "compileStreaming", "instantiate", "instantiateStreaming"]) {
  const call = WebAssembly[name];
  WebAssembly[name] = function noted(code, ...more) {
    if (!(code instanceof WebAssembly.Module)) note(`WebAssembly.${name}`, code, noted);
    return call.call(WebAssembly, code, ...more);
  };
}
WebAssembly.Module = new Proxy(WebAssembly.Module, {
  construct: function noted(target, given, newTarget) {
    note("new WebAssembly.Module", given[0], noted);
    return Reflect.construct(target, given, newTarget);
  },
});
process.on("exit", () => console.error(`calls: ${JSON.stringify(calls)}`));
