// What happens behind the caller's back: modules that were compiled here are remembered, and when the process ends, or has
// run for a while, what V8 optimized of them is written down and the rest is left to another process.

import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { toHex } from "../key.ts";
import { graded, isAtLeast, profileOf } from "./artifact.ts";
import { hasUsualFlags } from "./load.ts";
import { optimize, serialize } from "./natives.ts";
import { nodeProcess } from "../platform/node_files.ts";
import type { Order } from "./order.ts";
import { supervise } from "./processes.ts";
import { PROBE } from "./probe.ts";
import { Proof } from "./proof.ts";
import { type Outline, outlineOf } from "./wasm.ts";

/** A module without an artifact as good as wanted. */
export interface Cold {
  /** Identity of this process. */
  readonly id: string;
  /** The module; what nobody uses any more needs no artifact. */
  readonly module: WeakRef<WebAssembly.Module>;
  /** Its code. */
  readonly code: Bytes;
  /** Where its entry goes. */
  readonly place: EntryPlace;
  /** The grade wanted. */
  readonly grade: Order["grade"];
}

/** How long a process that goes on is left alone first, ms: servers are killed, and never end. */
const AFTER_MS = 10_000;

/** How long all that is done here may hold the process up, ms; a module begun is done. */
const MAX_MS = 30;

/** How many bytes of code are handed to another process at a time. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The modules of this process, whichever engines compiled them: it ends only once. */
const modules = new Map<string, Cold>();
let timer: { unref(): void } | undefined;
let isHooked = false;

/** Remembers a module until the process ends, or has run for a while. */
export function later(cold: Cold): void {
  const { id, place } = cold;
  const isProven = new Proof(id, place).known;
  if (isProven === false) return;
  if (isProven === undefined) trySupervise([orderOf({ ...cold, grade: "full", code: PROBE }, "v8-proof")], place);
  modules.set(`${place.root} ${place.key}`, cold);
  if (!isHooked) nodeProcess().on("exit", settle);
  isHooked = true;
  timer ??= setTimeout(settle, AFTER_MS) as unknown as { unref(): void };
  timer.unref();
}

/** Sees to all that are remembered, as long as it may take. */
function settle(): void {
  timer = undefined;
  const untilMs = performance.now() + MAX_MS;
  const orders = new Map<string, { place: EntryPlace; orders: Order[] }>();
  let bytes = 0;
  for (const [name, cold] of modules) {
    modules.delete(name);
    const order = settleOne(cold);
    bytes += order?.code.length ?? 0;
    if (order && bytes <= MAX_BYTES) {
      const { root } = cold.place;
      if (!orders.has(root)) orders.set(root, { place: cold.place, orders: [] });
      orders.get(root)!.orders.push(order);
    }
    if (performance.now() > untilMs) break;
  }
  for (const { place, orders: these } of orders.values()) trySupervise(these, place);
}

/** Writes down what was optimized; gives the order for the rest. A fault costs the artifact, not the program. */
function settleOne(cold: Cold): Order | undefined {
  try {
    const { code, grade, id, place } = cold;
    const module = cold.module.deref();
    if (!module || !hasUsualFlags(id) || !new Proof(id, place).known) return undefined;
    const there = place.read();
    if (there && isAtLeast(there, grade)) return undefined;
    const outline = outlineOf(code);
    const snapshot = grade === "profile" ? snapshotOf(module, outline) : undefined;
    // What a profile needs an instance for that must not be made here is optimized as a whole.
    if (grade === "profile" && !snapshot) return orderOf({ ...cold, grade: "full" });
    const profile = snapshot && profileOf(snapshot, outline.functions);
    if (snapshot && !(there && isAtLeast(there, "snapshot"))) place.write(graded(snapshot, "snapshot"));
    return grade === "full" || profile ? { ...orderOf(cold), profile } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Writes a module down as it is optimized now. V8 needs one optimized function, and an exported one to be told of it: an
 * instance is made that does nothing. A module that would run something then is left alone.
 */
function snapshotOf(module: WebAssembly.Module, outline: Outline): Bytes | undefined {
  const { hasStart, imports, shortestExport } = outline;
  if (hasStart || !imports || shortestExport === undefined) return undefined;
  const exported = new WebAssembly.Instance(module, imports()).exports[shortestExport];
  return typeof exported === "function" && optimize(exported) ? serialize(module) : undefined;
}

function orderOf({ id, grade, code, place }: Omit<Cold, "module">, lock = `v8-${place.key.slice(0, 2)}`): Order {
  const { directory, root, options: { maxDiskAgeMs, maxDiskBytes, secret } } = place;
  const limits = { maxDiskBytes: finite(maxDiskBytes), maxDiskAgeMs: finite(maxDiskAgeMs) };
  const hex = secret instanceof Uint8Array ? { secret: toHex(secret) } : {};
  return { id, grade, code, entry: { directory, root, lock, limits, ...hex } };
}

/** A secret that cannot be told to another process means that nothing can be made there. */
function trySupervise(orders: readonly Order[], { root, options: { secret } }: EntryPlace): void {
  if (secret && !(secret instanceof Uint8Array)) return;
  try {
    supervise(orders, `${root}/tmp`);
  } catch {
    // No room, no processes left, no permission: the next process tries again.
  }
}

/** JSON has no infinity. */
function finite(limit: number): number | null {
  return Number.isFinite(limit) ? limit : null;
}
