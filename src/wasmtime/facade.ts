// What `register` needs of the Wasmtime engine, in one file: it is loaded only when it is asked for.

export { wasmtime } from "./engine.ts";
export { readImports } from "./instance.ts";
export { moduleState, NativeModule } from "./module.ts";
export { NativeInstance } from "./space.ts";
