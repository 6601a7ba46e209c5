// Types of what modules import and export, read from Wasmtime's own description of them.

import type { Address } from "../ffi/ffi.ts";
import { fromUtf8 } from "../platform/globals.ts";
import { bytesOf, type Wasmtime } from "./binding.ts";
import type { Slots } from "./native_memory.ts";

/** Type of a value; `"other"` cannot pass between WebAssembly and JavaScript here. */
export type Kind = "i32" | "i64" | "f32" | "f64" | "externref" | "funcref" | "other";

/** Type of a value, as the standard's text has it. */
export interface ValueType {
  /** How values pass. */
  readonly kind: Kind;
  /** Whether null is a value of it. */
  readonly isNullable: boolean;
}

/** Type of a function. */
export interface FunctionType {
  /** What it is. */
  readonly kind: "function";
  /** Types of its parameters. */
  readonly parameters: readonly ValueType[];
  /** Types of its results. */
  readonly results: readonly ValueType[];
  /** Wasmtime's own `wasm_functype_t`, which lives as long as this object. */
  readonly handle: Handle;
}

/** Type of a memory. */
export interface MemoryType {
  /** What it is. */
  readonly kind: "memory";
  /** Whether several threads may use it. */
  readonly isShared: boolean;
  /** Whether its addresses have 64 bits. */
  readonly is64: boolean;
}

/** Type of a table. Its limits are not read: `wasm_tabletype_limits` ends the process where they exceed 32 bits. */
export interface TableType {
  /** What it is. */
  readonly kind: "table";
  /** Type of its elements. */
  readonly element: ValueType;
}

/** Type of a global. */
export interface GlobalType {
  /** What it is. */
  readonly kind: "global";
  /** Type of its value. */
  readonly content: ValueType;
  /** Whether it can be set. */
  readonly isMutable: boolean;
}

/** Type of anything that can be imported or exported. */
export type ExternType = FunctionType | MemoryType | TableType | GlobalType | { readonly kind: "tag" };

/** A native object that is freed with the JavaScript object that has it. */
export interface Handle {
  /** Its address. */
  readonly address: Address;
}

/** An export. */
export interface ExportType {
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: ExternType;
}

/** An import. */
export interface ImportType extends ExportType {
  /** Name of the module. */
  readonly module: string;
}

/** What a module imports and exports, in order. */
export interface ModuleTypes {
  /** Its imports. */
  readonly imports: readonly ImportType[];
  /** Its exports. */
  readonly exports: readonly ExportType[];
}

/** Kinds of externs, by their number in `wasm.h`. */
const EXTERN_KINDS = ["function", "global", "table", "memory", "tag"] as const;

/** Kinds of values, by their number in `wasmtime_valtype_t`; 4 is `v128`, 5 a reference. */
const VALUE_KINDS: readonly Kind[] = ["i32", "i64", "f32", "f64", "other"];
const REFERENCE = 5;

/** Kinds of references, by their number in `wasmtime_heaptype_t`; all others belong to other proposals. */
const HEAP_KINDS: Readonly<Record<number, Kind>> = { 0: "externref", 2: "funcref" };

/** Kinds of values that can be made, by `wasm_valkind_t`. */
const NUMBERS: Readonly<Partial<Record<Kind, number>>> = {
  i32: 0,
  i64: 1,
  f32: 2,
  f64: 3,
  externref: 128,
  funcref: 129,
};

/** Reads types from native memory. */
export class TypeReader {
  readonly #wasmtime: Wasmtime;
  readonly #slots: Slots;
  readonly #handles: FinalizationRegistry<Address>;

  /** Reads nothing yet. */
  constructor(wasmtime: Wasmtime, slots: Slots) {
    this.#wasmtime = wasmtime;
    this.#slots = slots;
    this.#handles = new FinalizationRegistry((address) => wasmtime.c.wasm_functype_delete(address));
  }

  /** What a `wasmtime_module_t` imports and exports. */
  moduleTypes(module: Address): ModuleTypes {
    const { c } = this.#wasmtime;
    const [imports, exports] = [new BigUint64Array(2), new BigUint64Array(2)];
    c.wasmtime_module_imports(module, bytesOf(imports));
    c.wasmtime_module_exports(module, bytesOf(exports));
    const types = {
      imports: this.#elements(imports).map((each) => ({
        module: this.#name(c.wasm_importtype_module(each)),
        name: this.#name(c.wasm_importtype_name(each)),
        type: this.#externType(c.wasm_importtype_type(each)),
      })),
      exports: this.#elements(exports).map((each) => ({
        name: this.#name(c.wasm_exporttype_name(each)),
        type: this.#externType(c.wasm_exporttype_type(each)),
      })),
    };
    c.wasm_importtype_vec_delete(bytesOf(imports));
    c.wasm_exporttype_vec_delete(bytesOf(exports));
    return types;
  }

  /** Type of a function from a `wasm_functype_t`, which it takes over. */
  functionType(address: Address): FunctionType {
    const { c } = this.#wasmtime;
    const handle = { address };
    this.#handles.register(handle, address);
    const valueTypes = (vec: Address) => this.#elements(this.#words(vec, 2)).map((each) => this.#valueType(each));
    return {
      kind: "function",
      parameters: valueTypes(c.wasm_functype_params(address)),
      results: valueTypes(c.wasm_functype_results(address)),
      handle,
    };
  }

  /**
   * The same type, belonging to no compiler.
   *
   * @throws {TypeError} When it has a type that cannot be made here.
   */
  copyOf({ parameters, results }: Pick<FunctionType, "parameters" | "results">): FunctionType {
    const { c } = this.#wasmtime;
    const vecs = [parameters, results].map((types) => {
      const made = types.map(({ kind, isNullable }) => {
        const number = isNullable || !kind.endsWith("ref") ? NUMBERS[kind] : undefined;
        if (number === undefined) throw new TypeError("Cannot pass function: its type has references of other kinds");
        return number;
      });
      const pointers = BigUint64Array.from(made, (number) => BigInt(c.wasm_valtype_new(number)));
      const vec = new BigUint64Array(2);
      // No runtime takes the address of no bytes.
      const given = pointers.length > 0 ? pointers : new BigUint64Array(1);
      c.wasm_valtype_vec_new(bytesOf(vec), this.#wasmtime.ffi.size(pointers.length), bytesOf(given));
      return bytesOf(vec);
    });
    return this.functionType(c.wasm_functype_new(vecs[0]!, vecs[1]!));
  }

  /** Type of a table from a `wasm_tabletype_t`, which is freed. */
  takeTableType(address: Address): TableType {
    const type = this.#tableType(address);
    this.#wasmtime.c.wasm_tabletype_delete(address);
    return type;
  }

  /** Type of a global from a `wasm_globaltype_t`, which is freed. */
  takeGlobalType(address: Address): GlobalType {
    const type = this.#globalType(address);
    this.#wasmtime.c.wasm_globaltype_delete(address);
    return type;
  }

  #externType(type: Address): ExternType {
    const { c } = this.#wasmtime;
    const kind = EXTERN_KINDS[c.wasm_externtype_kind(type)]!;
    switch (kind) {
      case "function":
        return this.functionType(c.wasm_functype_copy(c.wasm_externtype_as_functype_const(type)));
      case "global":
        return this.#globalType(c.wasm_externtype_as_globaltype_const(type));
      case "table":
        return this.#tableType(c.wasm_externtype_as_tabletype_const(type));
      case "memory":
        return this.#memoryType(c.wasm_externtype_as_memorytype_const(type));
      case "tag":
        return { kind };
    }
  }

  #globalType(type: Address): GlobalType {
    const { c } = this.#wasmtime;
    const content = this.#valueType(c.wasm_globaltype_content(type));
    return { kind: "global", content, isMutable: c.wasm_globaltype_mutability(type) === 1 };
  }

  #tableType(type: Address): TableType {
    const { c } = this.#wasmtime;
    const element = this.#valueType(c.wasm_tabletype_element(type));
    return { kind: "table", element };
  }

  #memoryType(type: Address): MemoryType {
    const { c } = this.#wasmtime;
    const isShared = c.wasmtime_memorytype_isshared(type) === 1;
    return { kind: "memory", isShared, is64: c.wasmtime_memorytype_is64(type) === 1 };
  }

  #valueType(type: Address): ValueType {
    const { c } = this.#wasmtime;
    const [valueKind, isNullable, heapKind] = this.#slots.with(({ address, words }) => {
      // Not `wasm_valtype_kind`, which ends the process where the type is not one of the first WebAssembly.
      c.wasmtime_valtype_new(type, address);
      const kinds = Array.from(words.subarray(0, 3), (word) => Number(word & 0xffn));
      c.wasmtime_valtype_delete(address);
      return kinds;
    });
    if (valueKind !== REFERENCE) return { kind: VALUE_KINDS[valueKind!]!, isNullable: false };
    return { kind: HEAP_KINDS[heapKind!] ?? "other", isNullable: isNullable === 1 };
  }

  /** Pointers in a vector. */
  #elements([length, data]: BigUint64Array): Address[] {
    if (length === 0n) return [];
    return Array.from(this.#words(data!, Number(length)), (address) => this.#wasmtime.ffi.address(address));
  }

  #name(vec: Address): string {
    const [length, data] = this.#words(vec, 2);
    return length === 0n ? "" : fromUtf8(new Uint8Array(this.#wasmtime.view(data!, Number(length))).slice());
  }

  #words(address: Address, count: number): BigUint64Array<ArrayBuffer> {
    return new BigUint64Array(this.#wasmtime.view(address, 8 * count)).slice();
  }
}
