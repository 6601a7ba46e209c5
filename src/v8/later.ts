// What happens behind the caller's back: modules that were compiled here are remembered, and when the process ends, or has
// run for a while, what V8 optimized of them is handed to another process, which makes entries. Keeps no module alive.

import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { clock, setTimer, type Timer } from "../platform/globals.ts";
import { nodeProcess } from "../platform/node_builtins.ts";
import { profileOf, wholeProfile } from "./artifact.ts";
import { Attempt, mark, tellStart, unmark } from "./attempts.ts";
import { hasFlagsOf } from "./identity.ts";
import { instantiate, optimize, serialize } from "./intrinsics.ts";
import type { Order, Target } from "./order.ts";
import { startSupervisor } from "./processes.ts";
import { isWorth, MIN_BYTES, type Outline, outlineOf } from "./wasm.ts";

/** A module without an artifact as good as wanted. */
export interface Cold {
  /** Identity of this process. */
  readonly id: string;
  /** The grade wanted. */
  readonly grade: Order["grade"];
  /** The module; what nobody uses any more needs no artifact. */
  readonly module: WebAssembly.Module;
  /** Its code. */
  readonly code: Bytes;
  /** Where its entry goes. */
  readonly place: EntryPlace;
}

interface Remembered extends Omit<Cold, "module" | "place"> {
  readonly module: WeakRef<WebAssembly.Module>;
  readonly target: Target;
}

/** How long a process that goes on is left alone first, ms: servers are killed, and never end. */
const AFTER_MS = 10_000;

/** How long all that is done here may hold the process up, ms; a module begun is done. */
const MAX_MS = 30;

/** How many bytes of code are remembered at a time, where the cache may keep so much in memory. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Those of this process, by directory and key, whichever engines compiled: a process ends only once. */
const directories = new Map<string, Map<string, Remembered>>();
let bytes = 0;
let timer: Timer | undefined;
let isHooked = false;

/** Remembers a module until the process ends, or has run for a while. */
export function later({ id, grade, module, code, place }: Cold): void {
  const { prepare, ...target } = place;
  const { maxMemoryBytes, secret } = target.options;
  // Another process cannot be told a key.
  const isTellable = secret === undefined || secret instanceof Uint8Array;
  const isTooMuch = bytes + code.length > Math.min(MAX_BYTES, maxMemoryBytes);
  if (code.length < MIN_BYTES || isTooMuch || !isTellable) return;
  const modules = directories.get(target.root) ?? begin(target.root, prepare);
  if (!modules) return;
  modules.set(target.key, { id, grade, module: new WeakRef(module), code, target });
  bytes += code.length;
  if (!isHooked) nodeProcess().on("exit", settle);
  isHooked = true;
  timer ??= setTimer(settle, AFTER_MS);
  timer.unref?.();
}

/** Makes the folders while there is somebody who wants them. */
function begin(root: string, prepare: () => void): Map<string, Remembered> | undefined {
  try {
    prepare();
    tellStart(root);
  } catch {
    return undefined;
  }
  const modules = new Map<string, Remembered>();
  directories.set(root, modules);
  return modules;
}

/** Sees to all that are remembered, as long as it may take. */
function settle(): void {
  timer = undefined;
  const untilMs = clock() + MAX_MS;
  const all = [...directories];
  directories.clear();
  bytes = 0;
  for (const [root, modules] of all) {
    try {
      settleIn(root, modules.values(), untilMs);
    } catch {
      // No room, or the directory is gone: a later process tries again.
    }
  }
}

function settleIn(root: string, modules: Iterable<Remembered>, untilMs: number): void {
  tellStart(root);
  if (!mark(root)) return;
  let isStarted = false;
  try {
    const orders = ordersOf(modules, untilMs);
    if (orders.length > 0) startSupervisor(orders, `${root}/tmp`);
    isStarted = orders.length > 0;
  } finally {
    if (!isStarted) unmark(root);
  }
}

function ordersOf(modules: Iterable<Remembered>, untilMs: number): Order[] {
  const orders: Order[] = [];
  for (const each of modules) {
    const order = orders.length === 0 || clock() < untilMs ? orderOf(each) : undefined;
    if (order) orders.push(order);
  }
  return orders;
}

/** Has V8 write down what it optimized, unless that was tried before. A fault costs the artifact, not the program. */
function orderOf({ id, grade, code, target, ...each }: Remembered): Order | undefined {
  try {
    const module = each.module.deref();
    const attempt = new Attempt(id, target);
    if (!module || !hasFlagsOf(id) || attempt.hindrance) return undefined;
    const outline = outlineOf(code);
    const { functions } = outline;
    if (!isWorth(code, outline)) return undefined;
    // Before V8 is called: should it end the process, then only once.
    attempt.note();
    const snapshot = snapshotOf(module, outline);
    // What a profile needs an instance for that must not be made here is optimized as a whole.
    return grade === "profile" && snapshot
      ? { id, grade, code, snapshot, profile: profileOf(snapshot, functions), target }
      : { id, grade: "full", code, snapshot, profile: wholeProfile(functions), target };
  } catch {
    return undefined;
  }
}

/**
 * Writes a module down as it is optimized now. V8 needs one optimized function, and an exported one to be told of it: an
 * instance is made that does nothing. A module that would run something then is left alone.
 */
function snapshotOf(module: WebAssembly.Module, { hasStart, imports, shortestExport }: Outline): Bytes | undefined {
  if (hasStart || !imports || shortestExport === undefined) return undefined;
  let exported;
  try {
    exported = instantiate(module, imports()).exports[shortestExport];
  } catch {
    // Its data wants other imports than these.
    return undefined;
  }
  return optimize(exported) ? serialize(module) : undefined;
}
