// The runtime's own calls of WebAssembly, as they were when this file was loaded: programs replace the globals, `register`
// does, and what compiles for a cache must not come back to it.

/** Options of the standard calls: JS string builtins. */
export interface CompileOptions {
  /** Sets of builtin functions that the module imports: `"js-string"`. */
  builtins?: string[];
  /** Name of the module from which string constants are imported. */
  importedStringConstants?: string | null;
}

/** Calls and classes of the `WebAssembly` namespace. */
export interface Native extends Pick<typeof WebAssembly, "Global" | "Instance" | "Memory" | "Table" | "instantiate"> {
  /** The class of modules. */
  readonly Module: typeof WebAssembly.Module & {
    new (code: BufferSource, options?: CompileOptions): WebAssembly.Module;
  };
  /** Compiles bytes. */
  compile(code: BufferSource, options?: CompileOptions): Promise<WebAssembly.Module>;
  /** Compiles while bytes arrive. */
  compileStreaming(source: Response | PromiseLike<Response>, options?: CompileOptions): Promise<WebAssembly.Module>;
}

const { Global, Instance, Memory, Module, Table, compile, compileStreaming, instantiate } = WebAssembly;

/** The namespace. */
export const native: Native = { Global, Instance, Memory, Module, Table, compile, compileStreaming, instantiate };
