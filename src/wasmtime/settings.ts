// Settings of the Wasmtime engine that decide what code is made. Types only.

/** Everything that decides what code is made. */
export interface Settings {
  /** What Cranelift optimizes for. */
  readonly optimize: "speed" | "speed-and-size" | "none";
  /** Whether code counts fuel. */
  readonly fuel: boolean;
  /** Whether code can be interrupted when a deadline has passed. */
  readonly deadlines: boolean;
  /** Whether operations give only one of the many NaNs. */
  readonly canonicalNaN: boolean;
  /** Most bytes of a thread's stack that WebAssembly uses. */
  readonly maxWasmStackBytes: number;
}
