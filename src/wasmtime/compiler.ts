// Compiles, serializes and reads back modules by one engine of Wasmtime: one set of settings, one compiler.

import { native } from "../engine/runtime.ts";
import type { Bytes } from "../engine/calls.ts";
import type { Address } from "../ffi/ffi.ts";
import { toUtf8 } from "../platform/globals.ts";
import { bytesOf, type Wasmtime } from "./binding.ts";
import type { Settings } from "./settings.ts";
import { stackBytesHere } from "./thread.ts";

/** Winch compiles at once; Cranelift makes better code, in five times the time and more. */
export type CompilerName = "cranelift" | "winch";

/** What Wasmtime's C API calls the compilers and what they optimize for. */
const [COMPILERS, LEVELS] = [{ cranelift: 1, winch: 2 }, { none: 0, speed: 1, "speed-and-size": 2 }];

/** A compiled module; freed with this object. */
export interface Compiled {
  /** Its `wasmtime_module_t`. */
  readonly address: Address;
  /** What compiled it. */
  readonly compiler: Compiler;
}

/** An engine of Wasmtime, for as long as the process lives. */
export class Compiler {
  /** Its `wasm_engine_t`. */
  readonly address: Address;
  readonly #wasmtime: Wasmtime;
  readonly #modules: FinalizationRegistry<Address>;

  /**
   * Makes the engine.
   *
   * @param isParallel Whether it compiles by all processors.
   */
  constructor(
    wasmtime: Wasmtime,
    settings: Settings,
    { name, isParallel = true }: { name: CompilerName; isParallel?: boolean },
  ) {
    const { c, ffi } = wasmtime;
    const config = c.wasm_config_new();
    c.wasmtime_config_strategy_set(config, COMPILERS[name]);
    c.wasmtime_config_cranelift_opt_level_set(config, LEVELS[settings.optimize]);
    c.wasmtime_config_consume_fuel_set(config, Number(settings.fuel));
    c.wasmtime_config_epoch_interruption_set(config, Number(settings.deadlines));
    c.wasmtime_config_cranelift_nan_canonicalization_set(config, Number(settings.canonicalNaN));
    c.wasmtime_config_max_wasm_stack_set(config, ffi.size(Math.min(settings.maxWasmStackBytes, stackBytesHere())));
    c.wasmtime_config_parallel_compilation_set(config, Number(isParallel));
    this.address = c.wasm_engine_new_with_config(config);
    this.#wasmtime = wasmtime;
    this.#modules = new FinalizationRegistry((module) => c.wasmtime_module_delete(module));
  }

  /**
   * Compiles.
   *
   * @throws {WebAssembly.CompileError} When the code is invalid, or needs what this compiler lacks.
   */
  compile(code: Bytes): Compiled {
    const { c, ffi } = this.#wasmtime;
    // No runtime takes the address of no bytes.
    const given = code.length === 0 ? new Uint8Array(1) : code;
    return this.#taken(
      (out) => c.wasmtime_module_new(this.address, given, ffi.size(code.length), out),
      (message) => new native.CompileError(message),
    );
  }

  /** Serializes a module. */
  serialize({ address }: Compiled): Bytes {
    const vec = new BigUint64Array(2);
    const error = this.#wasmtime.c.wasmtime_module_serialize(address, bytesOf(vec));
    if (error) throw new Error(this.#wasmtime.takeMessage(error));
    return this.#wasmtime.takeBytes(vec);
  }

  /**
   * Reads a module back. Its bytes must be what a library of the same identity has serialized: only a part is checked.
   *
   * @throws {Error} When it was made by another compiler or version, or for another machine.
   */
  deserialize(artifact: Bytes): Compiled {
    const { c, ffi } = this.#wasmtime;
    return this.#taken(
      (out) => c.wasmtime_module_deserialize(this.address, artifact, ffi.size(artifact.length), out),
      Error,
    );
  }

  /** Maps a module from a file, of which the same is to be said; it must not be changed while it is mapped. */
  deserializeFile(path: string): Compiled {
    const { c } = this.#wasmtime;
    return this.#taken((out) => c.wasmtime_module_deserialize_file(this.address, toUtf8(`${path}\0`), out), Error);
  }

  #taken(
    step: (out: Uint8Array) => Address,
    FailureOf: (message: string) => Error,
  ): Compiled {
    const out = new BigUint64Array(1);
    const error = step(bytesOf(out));
    if (error) throw FailureOf(this.#wasmtime.takeMessage(error));
    const address = this.#wasmtime.ffi.address(out[0]!);
    const compiled = { address, compiler: this };
    this.#modules.register(compiled, address);
    return compiled;
  }
}
