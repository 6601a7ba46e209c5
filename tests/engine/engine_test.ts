// The engines under their contract.

import { hostEngine, prepared } from "@wasm/module-cache";
import { bytes, realModule, TextEngine } from "../_tools.ts";
import { engineContract } from "../contract/engine.ts";

engineContract({
  name: "text",
  make: () => new TextEngine(),
  code: () => bytes("hello"),
  bad: () => bytes("broken"),
  ask: ({ text }) => text,
});

engineContract({
  name: "host",
  make: hostEngine,
  code: () => realModule("sqlite"),
  bad: () => realModule("sqlite").slice(0, 1000),
  ask: (module) => [WebAssembly.Module.imports(module), WebAssembly.Module.exports(module)],
});

engineContract({
  name: "prepared",
  make: () => prepared(hostEngine(), { id: "unwrap-1", prepare: (code) => code.subarray(4) }),
  code: () => wrapped(realModule("sqlite")),
  bad: () => wrapped(realModule("sqlite").slice(0, 1000)),
  ask: (module) => [WebAssembly.Module.imports(module), WebAssembly.Module.exports(module)],
});

/** Four bytes, then the code. */
function wrapped(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const wrapped = new Uint8Array(code.length + 4);
  wrapped.set(code, 4);
  return wrapped;
}
