// Reads a module's code: its functions, and what an inert instance of it needs. The code has been compiled, so it is
// valid. Pure.

import { Reader, sectionsOf } from "../engine/binary.ts";
import { native } from "../engine/runtime.ts";

/** Outline of a module. */
export interface Outline {
  /** Functions that it defines itself. */
  readonly functions: number;
  /** Whether it runs a function when it is instantiated. */
  readonly hasStart: boolean;
  /** Name of the exported function with the shortest body of its own; absent where it exports none of its own. */
  readonly shortestExport?: string;
  /** Makes imports that link: functions that do nothing, empty memories and tables, zeros. Absent where some kind is unknown. */
  readonly imports?: () => WebAssembly.Imports;
}

const SECTIONS = { import: 2, function: 3, export: 7, start: 8, code: 10 } as const;
const KINDS = ["function", "table", "memory", "global", "tag"] as const;

/** Reads an outline. */
export function outlineOf(code: Uint8Array): Outline {
  // Where the content of each section begins.
  const sections = new Map([...sectionsOf(code)].map(({ id, from }) => [id, from]));
  const at = (id: number) => new Reader(code, sections.get(id) ?? code.length);
  const { imports, importedFunctions } = importsOf(at(SECTIONS.import));
  const functions = at(SECTIONS.function).number();
  return {
    functions,
    hasStart: sections.has(SECTIONS.start),
    shortestExport: shortestOf(at(SECTIONS.export), bodiesOf(at(SECTIONS.code)), importedFunctions),
    imports,
  };
}

/** Below this an artifact saves nothing. */
export const MIN_BYTES = 4096;

/** Whether an artifact of the code saves anything and can be made: V8 is given functions by their exports. */
export function isWorth(code: Uint8Array, outline: Outline = outlineOf(code)): boolean {
  return code.length >= MIN_BYTES && outline.shortestExport !== undefined;
}

/** Lengths of the functions' bodies. */
function bodiesOf(reader: Reader): number[] {
  return Array.from({ length: reader.number() }, () => {
    const length = reader.number();
    reader.at += length;
    return length;
  });
}

function shortestOf(reader: Reader, bodies: readonly number[], imported: number): string | undefined {
  let shortest: { name: string; length: number } | undefined;
  for (let left = reader.number(); left > 0; left--) {
    const name = reader.name();
    const isFunction = KINDS[reader.byte()] === "function";
    const length = bodies[reader.number() - imported];
    if (!isFunction || length === undefined) continue;
    if (!shortest || length < shortest.length) shortest = { name, length };
  }
  return shortest?.name;
}

type MakeImport = () => WebAssembly.ImportValue;

function importsOf(reader: Reader): { imports?: () => WebAssembly.Imports; importedFunctions: number } {
  const makers: { module: string; name: string; make?: MakeImport }[] = [];
  let importedFunctions = 0;
  for (let left = reader.number(); left > 0; left--) {
    const [module, name] = [reader.name(), reader.name()];
    const kind = KINDS[reader.byte()];
    if (kind === "function") importedFunctions++;
    makers.push({ module, name, make: kind && MAKERS[kind](reader) });
  }
  if (!makers.every((maker) => maker.make)) return { importedFunctions };
  const imports = () => {
    // Names are the module's: they must not reach what every object has.
    const made: WebAssembly.Imports = Object.create(null);
    for (const { module, name, make } of makers) (made[module] ??= Object.create(null))[name] = make!();
    return made;
  };
  return { imports, importedFunctions };
}

/** Reads an import and how to create a stand-in; `undefined` for unknown kinds. */
const MAKERS: Record<typeof KINDS[number], (reader: Reader) => MakeImport | undefined> = {
  function: (reader) => {
    reader.number();
    return () => () => 0;
  },
  table: (reader) => {
    const element = valueTypeOf(reader)?.[0] as WebAssembly.TableKind | undefined;
    const limits = limitsOf(reader);
    return element && limits ? () => new native.Table({ ...limits, element }) : undefined;
  },
  memory: (reader) => {
    const limits = limitsOf(reader);
    return limits && (() => new native.Memory(limits));
  },
  global: (reader) => {
    const type = valueTypeOf(reader);
    const mutable = reader.byte() === 1;
    return type && (() => new native.Global({ value: type[0] as WebAssembly.ValueType, mutable }, type[1] as 0));
  },
  tag: (reader) => {
    reader.number();
    reader.number();
    return undefined;
  },
};

const VALUE_TYPES: Record<number, [string, unknown]> = {
  0x7f: ["i32", 0],
  0x7e: ["i64", 0n],
  0x7d: ["f32", 0],
  0x7c: ["f64", 0],
  0x70: ["anyfunc", null],
  0x6f: ["externref", null],
};

/** A type and its zero; `undefined` for one that scripts cannot make. References to types have a second part. */
function valueTypeOf(reader: Reader): [string, unknown] | undefined {
  const type = reader.byte();
  if (type === 0x63 || type === 0x64) reader.number();
  return VALUE_TYPES[type];
}

/** Limits of a table or memory; `undefined` for what is not addressed by 32 bits, or has pages of another size. */
function limitsOf(reader: Reader): { initial: number; maximum?: number; shared?: boolean } | undefined {
  const flags = reader.byte();
  const initial = reader.number();
  const maximum = flags & 1 ? { maximum: reader.number() } : {};
  if (flags & 8) reader.number();
  return flags > 3 ? undefined : { initial, ...maximum, ...(flags & 2 ? { shared: true } : {}) };
}
