// Whether this process has V8's natives, and all that decides whether an artifact made here loads there.

import { hasTrapHandler } from "./natives.ts";
import { builtin, nodeProcess } from "../platform/node_files.ts";

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
  if (builtin("node:fs").existsSync(childPath())) return undefined;
  return "a part of this library that runs as a process of its own is not there: is it bundled?";
}

/** Path of what runs as processes of their own; the published form is JavaScript. */
export function childPath(): string {
  const ending = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return builtin("node:url").fileURLToPath(new URL(`./child.${ending}`, import.meta.url));
}

/**
 * All that decides whether V8's artifacts of this process load in another. V8's tag covers its version, its flags and the
 * features of the processor; the trap handler it forgets.
 */
export function identity(): string {
  const { arch, platform, versions } = nodeProcess();
  const traps = hasTrapHandler() ? "traps" : "no traps";
  return `v8 ${versions.v8} node ${versions.node} ${platform} ${arch} ${versionTag()} ${traps} 1`;
}

/** V8's own tag: it changes when flags are changed in a running program. */
export function versionTag(): string {
  return builtin("node:v8").cachedDataVersionTag().toString(16);
}
