// The parts of Node that this library uses: the `process` global and built-in modules. Types, and how they are loaded.

import type * as NodeBuffer from "node:buffer";
import type * as NodeChildProcess from "node:child_process";
import type * as NodeCrypto from "node:crypto";
import type * as NodeDiagnosticsChannel from "node:diagnostics_channel";
import type * as NodeFs from "node:fs";
import type * as NodeModule from "node:module";
import type * as NodeNet from "node:net";
import type * as NodeOs from "node:os";
import type * as NodePath from "node:path";
import type * as NodeUrl from "node:url";
import type * as NodeV8 from "node:v8";
import type * as NodeVm from "node:vm";

/** Built-in modules that this library works with. */
export interface Builtins {
  /** Buffers. */
  "node:buffer": typeof NodeBuffer;
  /** Processes. */
  "node:child_process": typeof NodeChildProcess;
  /** Hashing. */
  "node:crypto": typeof NodeCrypto;
  /** Channels. */
  "node:diagnostics_channel": typeof NodeDiagnosticsChannel;
  /** Files. */
  "node:fs": typeof NodeFs;
  /** What is built in. */
  "node:module": typeof NodeModule;
  /** Sockets. */
  "node:net": typeof NodeNet;
  /** Priorities. */
  "node:os": typeof NodeOs;
  /** Paths. */
  "node:path": typeof NodePath;
  /** File URLs. */
  "node:url": typeof NodeUrl;
  /** V8's flags and its tag. */
  "node:v8": typeof NodeV8;
  /** Functions from text, also where `eval` is forbidden. */
  "node:vm": typeof NodeVm;
}

/** The used part of the `process` global. */
export interface NodeProcess {
  /** Architecture of the processor. */
  readonly arch: string;
  /** Arguments, the first two the paths of runtime and script. */
  readonly argv: readonly string[];
  /** How the runtime was built. */
  readonly config: { readonly variables: Readonly<Record<string, unknown>> };
  /** Environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Flags of the runtime itself. */
  readonly execArgv: readonly string[];
  /** Path of the runtime. */
  readonly execPath: string;
  /** Effective user id; absent on Windows. */
  readonly geteuid?: () => number;
  /** Id of the process. */
  readonly pid: number;
  /** Operating system. */
  readonly platform: string;
  /** Node's permission model, if it is on. */
  readonly permission?: { has(scope: string, reference?: string): boolean };
  /** Versions of Node, V8 and the rest. */
  readonly versions: Readonly<Record<string, string | undefined>>;
  /** Emits a warning. */
  emitWarning: (...given: unknown[]) => void;
  /** Time of the processors that the process used, µs. */
  cpuUsage(): { user: number; system: number };
  /** Ends the process. */
  exit(code: number): never;
  /** Sends a signal, to a group of processes where the number is negative. */
  kill(pid: number, signal: string): void;
  /** Loads a built-in module synchronously. */
  getBuiltinModule(name: string): unknown;
  /** Registers a callback for the end of the process. */
  on(event: "exit", listener: () => void): void;
}

/** The `process` global. */
export function nodeProcess(): NodeProcess {
  return (globalThis as unknown as { process: NodeProcess }).process;
}

/** Loads a built-in module synchronously. */
export function builtin<K extends keyof Builtins>(name: K): Builtins[K] {
  return nodeProcess().getBuiltinModule(name) as Builtins[K];
}
