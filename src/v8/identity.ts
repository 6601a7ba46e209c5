// Whether this process has V8's natives, and all that decides whether an artifact made here loads there.

import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { hasTrapHandler } from "./intrinsics.ts";

/** Whether the V8 engine can be used, and why not. */
export interface V8Availability {
  /** It can. */
  readonly available: boolean;
  /** Why it cannot; absent where it can. */
  readonly reason?: string;
}

/** The Node versions that let V8's compiled code out: the natives came with 22's V8, and are gone from 26's. */
const [FIRST_NODE, FIRST_WITHOUT] = [22, 26];

/** Tells whether this process can use the V8 engine. */
export function availability(): V8Availability {
  const reason = whyNot();
  return reason === undefined ? { available: true } : { available: false, reason };
}

function whyNot(): string | undefined {
  const { Deno, Bun } = globalThis as { Deno?: unknown; Bun?: unknown };
  if (Deno) return "Deno lets no compiled code out of V8";
  if (Bun) return "Bun lets no compiled code out of JavaScriptCore";
  const process = nodeProcess() as ReturnType<typeof nodeProcess> | undefined;
  const version = process?.versions?.node;
  if (!version || !process.getBuiltinModule) return "this is not Node";
  const major = parseInt(version);
  if (major >= FIRST_WITHOUT) return `Node ${version} lets no compiled code out of V8: it can from 22 to 25`;
  if (major < FIRST_NODE) return `Node ${version} is too old: it can from 22 to 25`;
  if (process.permission && !process.permission.has("child")) {
    return "the permission to start processes is missing: --allow-child-process";
  }
  if (process.env[MARK] !== undefined) return "this is one of the processes that make artifacts";
  if (process.versions.electron || isSingleExecutable()) return "the program cannot be started as Node";
  if (process.versions.pnp) {
    return "under Yarn's Plug'n'Play the processes that make artifacts find no packages: nodeLinker must be node-modules";
  }
  if (processPath() !== undefined) return undefined;
  return "a part of this library that runs as a process of its own is not there: is it bundled?";
}

/** Environment variable of the processes that make artifacts: they must not have any made. */
export const MARK = "WASM_MODULE_CACHE_PROCESS";

function isSingleExecutable(): boolean {
  const sea = nodeProcess().getBuiltinModule("node:sea") as { isSea(): boolean } | undefined;
  return sea?.isSea() ?? false;
}

/** Path of what runs as processes of their own, where it is there; the published form is JavaScript. */
export function processPath(): string | undefined {
  const { url } = import.meta as { url?: string };
  if (!url?.startsWith("file:")) return undefined;
  const ending = url.endsWith(".ts") ? "ts" : "js";
  const path = builtin("node:url").fileURLToPath(new URL(`./process_main.${ending}`, url));
  return builtin("node:fs").existsSync(path) ? path : undefined;
}

/**
 * All that decides whether V8's artifacts of this process load in another. V8's tag covers its version, its flags and the
 * features of the processor; the trap handler and how it was built it forgets.
 */
export function identity(): string {
  const { arch, config: { variables }, platform, versions } = nodeProcess();
  const traps = hasTrapHandler() ? "traps" : "no traps";
  const build = BUILD.map((name) => `${variables[name] ?? ""}`).join("");
  return `v8 ${versions.v8} node ${versions.node} ${platform} ${arch} ${build} ${versionTag()} ${traps} 1`;
}

/** What builds of one version differ in, as far as compiled code knows. */
const BUILD = ["v8_enable_pointer_compression", "v8_enable_sandbox", "v8_enable_i18n_support"];

/** Tells whether V8's flags are those of the identity still. */
export function hasFlagsOf(id: string): boolean {
  return id.includes(` ${versionTag()} `);
}

/**
 * V8's own tag: it changes when flags are changed in a running program. Other threads may have theirs on for some
 * microseconds: what most looks find counts.
 */
function versionTag(): string {
  const looks = Array.from({ length: 5 }, () => builtin("node:v8").cachedDataVersionTag().toString(16));
  const times = (tag: string) => looks.filter((look) => look === tag).length;
  return looks.reduce((best, tag) => times(tag) > times(best) ? tag : best);
}
