// Work in the background: remembers modules that were compiled here, and when the process ends, or has run for a while,
// hands what V8 has optimized of them to another process, which makes entries. Keeps no module alive.

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

/** A module whose artifact is missing, or of a lesser grade than wanted. */
export interface Cold {
  /** Identity of this process. */
  readonly id: string;
  /** The grade wanted. */
  readonly grade: Order["grade"];
  /** The module, held weakly: one that nobody uses any more needs no artifact. */
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

/** How long a process runs before this begins, ms: servers are killed, and never end by themselves. */
const AFTER_MS = 10_000;

/** How long this may delay the end of the process, ms; a module begun is finished. */
const MAX_MS = 30;

/** How many bytes of code are remembered at a time, where the cache may keep so much in memory. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The modules of this process, by directory and key, for all engines: a process ends only once. */
const directories = new Map<string, Map<string, Remembered>>();
let bytes = 0;
let timer: Timer | undefined;
let isHooked = false;

/** Remembers a module until the process ends, or has run for a while. */
export function later({ id, grade, module, code, place }: Cold): void {
  const { prepare, ...target } = place;
  const { maxMemoryBytes, secret } = target.options;
  // A `CryptoKey` cannot be passed to another process.
  const isTellable = secret === undefined || secret instanceof Uint8Array;
  const known = directories.get(target.root)?.get(target.key)?.code.length ?? 0;
  const added = code.length - known;
  const isTooMuch = bytes + added > Math.min(MAX_BYTES, maxMemoryBytes);
  if (code.length < MIN_BYTES || isTooMuch || !isTellable) return;
  const modules = directories.get(target.root) ?? begin(target.root, prepare);
  if (!modules) return;
  modules.set(target.key, { id, grade, module: new WeakRef(module), code, target });
  bytes += added;
  if (!isHooked) nodeProcess().on("exit", settle);
  isHooked = true;
  timer ??= setTimer(settle, AFTER_MS);
  timer.unref?.();
}

/** Creates the folders during the lookup. */
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

/** Works through the remembered modules, within the time allowed. */
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

/**
 * Makes V8 serialize what it has optimized, unless that was tried before. A fault costs the artifact, not the program.
 */
function orderOf({ id, grade, code, target, ...each }: Remembered): Order | undefined {
  try {
    const module = each.module.deref();
    const attempt = new Attempt(id, target);
    if (!module || !hasFlagsOf(id) || attempt.hindrance) return undefined;
    const outline = outlineOf(code);
    const { functions } = outline;
    if (!isWorth(code, outline)) return undefined;
    // Recorded before V8 is called: if that ends the process, then only once.
    attempt.note();
    const snapshot = snapshotOf(module, outline);
    // A profile needs an instance. If none may be created here, the whole module is optimized.
    return grade === "profile" && snapshot
      ? { id, grade, code, snapshot, profile: profileOf(snapshot, functions), target }
      : { id, grade: "full", code, snapshot, profile: wholeProfile(functions), target };
  } catch {
    return undefined;
  }
}

/**
 * Serializes a module as it is optimized now. V8 needs one optimized function, named by an export: so an inert instance
 * is created. A module that would run code then is left alone.
 */
function snapshotOf(module: WebAssembly.Module, { hasStart, imports, shortestExport }: Outline): Bytes | undefined {
  if (hasStart || !imports || shortestExport === undefined) return undefined;
  let exported;
  try {
    exported = instantiate(module, imports()).exports[shortestExport];
  } catch {
    // Its data needs other imports than these.
    return undefined;
  }
  return optimize(exported) ? serialize(module) : undefined;
}
