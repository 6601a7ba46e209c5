// The calls of the `WebAssembly` namespace over a cache: same arguments, results and errors.

import { type Code, describe, isBytes, viewOf } from "../bytes.ts";
import type { Context } from "../context.ts";
import { runAsync, runSync } from "../effect.ts";
import type { Engine } from "../engine/engine.ts";
import { type CompileOptions, native } from "../engine/runtime.ts";
import { lookup } from "../lookup.ts";
import { checkResponse, receive, resolveStreaming } from "./streaming.ts";

/** Source of a streaming call: a response, or a promise of one. */
export type ResponseSource = Response | PromiseLike<Response>;

/** `WebAssembly.compile`. */
export async function compile<M>(context: Context<M>, code: Code, options?: CompileOptions): Promise<M> {
  const { engine } = context;
  if (options !== undefined) return await withOptions(engine, engine.compileWithOptions)(code, options);
  return (await runAsync(lookup(context, viewOf(code)))).module;
}

/** `new WebAssembly.Module`. */
export function compileSync<M>(context: Context<M>, code: Code, options?: CompileOptions): M {
  const { engine } = context;
  if (options !== undefined) return withOptions(engine, engine.compileWithOptionsSync)(code, options);
  return runSync(lookup(context, viewOf(code))).module;
}

/** `WebAssembly.compileStreaming`. */
export async function compileStreaming<M>(
  context: Context<M>,
  source: ResponseSource,
  options?: CompileOptions,
): Promise<M> {
  if (options === undefined) return (await resolveStreaming(context, source)).module;
  const compile = withOptions(context.engine, context.engine.compileWithOptions);
  const response = await source;
  checkResponse(response);
  return await compile((await receive(context, response, { act: "compile", compiles: false })).code, options);
}

/** `WebAssembly.instantiate`. */
export async function instantiate<M>(
  context: Context<M>,
  source: Code | WebAssembly.Module,
  imports?: WebAssembly.Imports,
  options?: CompileOptions,
): Promise<WebAssembly.Instance | WebAssembly.WebAssemblyInstantiatedSource> {
  // The runtime's own call rejects what is neither.
  if (!isBytes(source)) return await native.instantiate(source, imports);
  checkImports(imports);
  return await instanceOf(await compile(context, source, options), imports);
}

/** `WebAssembly.instantiateStreaming`. */
export async function instantiateStreaming<M>(
  context: Context<M>,
  source: ResponseSource,
  imports?: WebAssembly.Imports,
  options?: CompileOptions,
): Promise<WebAssembly.WebAssemblyInstantiatedSource> {
  checkImports(imports);
  return await instanceOf(await compileStreaming(context, source, options), imports);
}

async function instanceOf(
  module: unknown,
  imports: WebAssembly.Imports | undefined,
): Promise<WebAssembly.WebAssemblyInstantiatedSource> {
  const compiled = module as WebAssembly.Module;
  return { module: compiled, instance: await native.instantiate(compiled, imports) };
}

/** Before anything is compiled, as the standard has it. */
function checkImports(imports: unknown): void {
  const isObject = (typeof imports === "object" && imports !== null) || typeof imports === "function";
  if (imports !== undefined && !isObject) {
    throw new TypeError(`Cannot instantiate: the imports must be an object, not ${describe(imports)}`);
  }
}

/** Calls a method of an engine that takes compile options, where it has one. */
function withOptions<M, T>(
  engine: Engine<M>,
  method: ((code: BufferSource, options: CompileOptions) => T) | undefined,
): (code: Code, options: CompileOptions) => T {
  if (!method) throw new TypeError(`Cannot compile with options: engine "${engine.id}" takes none`);
  return (code, options) => method.call(engine, viewOf(code) as Uint8Array<ArrayBuffer>, options);
}
