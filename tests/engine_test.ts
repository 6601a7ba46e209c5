// The engines under their contract.

import { hostEngine } from "@wasm/module-cache";
import { bytes, realModule, TextEngine } from "./_tools.ts";
import { engineContract } from "./contract/engine.ts";

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
