// The packages whose programs are here, and how a program is started.

/** A package from npm that brings wasm, and its program. */
export interface Package {
  /** Name in the npm registry. */
  readonly name: string;
  /** The program's file in this folder. */
  readonly program: string;
  /** Why it does not run even without a cache, by the start of the runtime's name. */
  readonly runsNot?: Readonly<Record<string, string>>;
}

/** All packages, by program. */
export const PACKAGES: readonly Package[] = [
  { name: "@duckdb/duckdb-wasm", program: "duckdb_wasm.mjs" },
  { name: "esbuild-wasm", program: "esbuild_wasm.mjs" },
  { name: "pyodide", program: "pyodide.mjs" },
  { name: "quickjs-emscripten", program: "quickjs.mjs" },
  { name: "@resvg/resvg-wasm", program: "resvg_wasm.mjs" },
  { name: "@rollup/wasm-node", program: "rollup_wasm.mjs" },
  { name: "sql.js", program: "sql_js.mjs" },
  { name: "@sqlite.org/sqlite-wasm", program: "sqlite_wasm.mjs" },
  { name: "@swc/wasm", program: "swc_wasm.mjs" },
  { name: "web-tree-sitter", program: "tree_sitter.mjs" },
];

/**
 * The command up to the program's name. It is started in this folder.
 *
 * Deno gets no config: it then finds the programs' packages and this library's in `node_modules`, as Node and Bun do.
 *
 * @param runtime Name of the runtime.
 * @param command The command that runs a script on it. Of Deno's only the program counts.
 * @param preload Path of a module that runs first.
 */
export function commandOf(runtime: string, command: readonly string[], preload?: string): string[] {
  if (!runtime.startsWith("Deno")) {
    const option = runtime.startsWith("Bun") ? "--preload" : "--import";
    return [...command, ...(preload === undefined ? [] : [option, preload])];
  }
  const [program = "deno"] = command;
  const options = ["--no-lock", "--no-config", "--node-modules-dir=manual"];
  return [program, "run", "-A", ...options, ...(preload === undefined ? [] : ["--preload", preload])];
}
