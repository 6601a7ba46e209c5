// The runtime's own calls of WebAssembly, as they were when this file was loaded: programs and `register` replace the
// globals, and a compile for the cache must not come back to it.

/** Options of the standard calls: JS string builtins. */
export interface CompileOptions {
  /** Sets of builtin functions that the module imports: `"js-string"`. */
  builtins?: string[];
  /** Name of the module from which string constants are imported. */
  importedStringConstants?: string | null;
}

/** Calls and classes of the `WebAssembly` namespace, and a way to share modules. */
export interface Native extends
  Pick<
    typeof WebAssembly,
    "CompileError" | "Global" | "Instance" | "LinkError" | "Memory" | "RuntimeError" | "Table" | "instantiate"
  > {
  /** The class of modules. */
  readonly Module: typeof WebAssembly.Module & {
    new (code: BufferSource, options?: CompileOptions): WebAssembly.Module;
  };
  /** Compiles bytes. */
  compile(code: BufferSource, options?: CompileOptions): Promise<WebAssembly.Module>;
  /** Compiles while bytes arrive; missing on some runtimes. */
  compileStreaming?(source: Response | PromiseLike<Response>, options?: CompileOptions): Promise<WebAssembly.Module>;
  /** Instantiates while bytes arrive; missing on some runtimes. */
  readonly instantiateStreaming?: typeof WebAssembly.instantiateStreaming;
  /**
   * Returns another object over the same compiled code; the same object if the runtime cannot clone, as under jsdom.
   */
  share(module: WebAssembly.Module): WebAssembly.Module;
}

/** Missing in some processes: V8 without a compiler has no WebAssembly. */
const namespace = (globalThis.WebAssembly ?? {}) as typeof WebAssembly;
const { CompileError, Global, Instance, LinkError, Memory, Module, RuntimeError, Table } = namespace;
const { compile, compileStreaming, instantiate, instantiateStreaming } = namespace;
const { structuredClone } = globalThis as { structuredClone?<T>(value: T): T };

/** The namespace. */
export const native: Native = {
  CompileError,
  Global,
  Instance,
  LinkError,
  Memory,
  Module,
  RuntimeError,
  Table,
  compile,
  compileStreaming,
  instantiate,
  instantiateStreaming,
  share,
};

function share(module: WebAssembly.Module): WebAssembly.Module {
  const clone = structuredClone?.(module) ?? module;
  // Jest and Vitest run programs in a realm of their own, and lend it the `structuredClone` of another.
  return clone instanceof Module ? clone : Object.setPrototypeOf(clone, Module.prototype);
}
