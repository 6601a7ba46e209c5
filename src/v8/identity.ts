// Whether this process has V8's natives, and everything that decides whether an artifact made here loads there.

import { MARK } from "../background/child.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { hasTrapHandler } from "./intrinsics.ts";

/** Whether the V8 engine is available, and why not. */
export interface V8Availability {
  /** Whether it is available. */
  readonly available: boolean;
  /** Why it is not available; absent if it is. For people: its wording may change. */
  readonly reason?: string;
}

/** Node versions whose V8 exports compiled code: the natives came with 22, and are gone from 26. */
const [FIRST_NODE, FIRST_WITHOUT] = [22, 26];

/** Reports whether this process can use the V8 engine. */
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

function isSingleExecutable(): boolean {
  const sea = nodeProcess().getBuiltinModule("node:sea") as { isSea(): boolean } | undefined;
  return sea?.isSea() ?? false;
}

/** Path of the helper processes' program, if it is there; the published form is JavaScript. */
export function processPath(): string | undefined {
  const url = import.meta.url as string | undefined;
  if (!url?.startsWith("file:")) return undefined;
  const ending = url.endsWith(".ts") ? "ts" : "js";
  const path = builtin("node:url").fileURLToPath(new URL(`./process_main.${ending}`, url));
  return builtin("node:fs").existsSync(path) ? path : undefined;
}

/**
 * Everything that decides whether V8's artifacts of this process load in another. V8's tag covers its version, its
 * flags and the processor's features, but not the trap handler, nor how it was built.
 */
export function identity(): string {
  const { arch, config: { variables }, platform, versions } = nodeProcess();
  const traps = hasTrapHandler() ? "traps" : "no traps";
  const build = BUILD.map((name) => `${variables[name] ?? ""}`).join("");
  return `v8 ${versions.v8} node ${versions.node} ${platform} ${arch} ${build} ${versionTag()} ${traps} 1`;
}

/** Differences between builds of one version that affect compiled code. */
const BUILD = ["v8_enable_pointer_compression", "v8_enable_sandbox", "v8_enable_i18n_support"];

/** Whether V8's flags are still those of the identity. */
export function hasFlagsOf(id: string): boolean {
  return id.includes(` ${versionTag()} `);
}

/**
 * V8's own tag, which changes when flags change in a running program. Other threads may switch theirs on for some
 * microseconds: the value found most often counts.
 */
function versionTag(): string {
  const looks = Array.from({ length: 5 }, () => builtin("node:v8").cachedDataVersionTag().toString(16));
  const times = (tag: string) => looks.filter((look) => look === tag).length;
  return looks.reduce((best, tag) => times(tag) > times(best) ? tag : best);
}
