// What happens behind the caller's back: modules that were compiled here are remembered, and when the process ends, or has
// run for a while, what V8 optimized of them is written down and the rest is left to another process.

import { nodeProcess } from "../platform/node_builtins.ts";
import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { graded, isAtLeast, profileOf } from "./artifact.ts";
import { hasFlagsOf } from "./identity.ts";
import { instantiate, optimize, serialize } from "./intrinsics.ts";
import { clock, setTimer, type Timer } from "../platform/globals.ts";
import { isTellable, type Order, orderOf } from "./order.ts";
import { startSupervisor, type Supervisor } from "./processes.ts";
import { PROBE } from "./probe.ts";
import { Proof } from "./proof.ts";
import { isWorth, type Outline, outlineOf } from "./wasm.ts";

/** A module without an artifact as good as wanted. */
export interface Cold {
  /** Identity of this process. */
  readonly id: string;
  /** The module; what nobody uses any more needs no artifact. */
  readonly module: WeakRef<WebAssembly.Module>;
  /** Its code. */
  readonly code: Bytes;
  /** What is known of it. */
  readonly outline: Outline;
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

/** What is under way in one directory. */
interface Session {
  readonly modules: Map<string, Cold>;
  readonly proof: Proof;
  readonly supervisor: Supervisor;
}

/** Those of this process, by directory, whichever engines compiled: a process ends only once. */
const sessions = new Map<string, Session>();
let timer: Timer | undefined;
let isHooked = false;

/** Remembers a module until the process ends, or has run for a while. Costs the start of a process, once. */
export function later(cold: Omit<Cold, "outline">): void {
  const { code, place } = cold;
  const outline = outlineOf(code);
  if (!isWorth(code, outline) || !isTellable(place)) return;
  const { key, root } = place;
  const session = sessions.get(root) ?? begin(cold);
  if (!session) return;
  session.modules.set(key, { ...cold, outline });
  sessions.set(root, session);
  if (!isHooked) nodeProcess().on("exit", () => settle(true));
  isHooked = true;
  wait();
}

function wait(): void {
  timer ??= setTimer(() => settle(false), AFTER_MS);
  timer.unref?.();
}

/** Begins a session, unless V8 has been found not to do what is needed, or there is no room for orders. */
function begin({ id, place }: Pick<Cold, "id" | "place">): Session | undefined {
  try {
    const proof = new Proof(id, place);
    if (proof.known === false) return undefined;
    place.prepare();
    const first = orderOf({ id, grade: "full", code: PROBE, place });
    return { modules: new Map(), proof, supervisor: startSupervisor(first, `${place.root}/tmp`) };
  } catch {
    return undefined;
  }
}

/** Sees to all that are remembered, as long as it may take. */
function settle(isEnd: boolean): void {
  timer = undefined;
  const untilMs = clock() + MAX_MS;
  for (const [root, session] of sessions) {
    const isKnown = session.proof.known !== undefined;
    // On a busy machine the proof takes its time, and this process has some.
    if (!isKnown && !isEnd) wait();
    else {
      sessions.delete(root);
      release(session, untilMs);
    }
  }
}

function release({ modules, proof, supervisor }: Session, untilMs: number): void {
  try {
    supervisor.release(proof.known ? ordersOf(modules.values(), untilMs) : []);
  } catch {
    // No room: a later process tries again.
  }
}

function ordersOf(modules: Iterable<Cold>, untilMs: number): Order[] {
  const orders: Order[] = [];
  let bytes = 0;
  for (const cold of modules) {
    if (clock() > untilMs) break;
    const order = bytes + cold.code.length <= MAX_BYTES || bytes === 0 ? settleOne(cold) : undefined;
    if (order) {
      orders.push(order);
      bytes += order.code.length;
    }
  }
  return orders;
}

/** Writes down what was optimized; gives the order for the rest. A fault costs the artifact, not the program. */
function settleOne(cold: Cold): Order | undefined {
  try {
    const { code, grade, id, outline, place } = cold;
    const module = cold.module.deref();
    if (!module || !hasFlagsOf(id)) return undefined;
    const there = place.read();
    if (there && isAtLeast(there, grade)) return undefined;
    const snapshot = grade === "profile" ? snapshotOf(module, outline) : undefined;
    // What a profile needs an instance for that must not be made here is optimized as a whole.
    if (grade === "profile" && !snapshot) return orderOf({ id, code, place, grade: "full" });
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
  let exported;
  try {
    exported = instantiate(module, imports()).exports[shortestExport];
  } catch {
    // Its data wants other imports than these.
    return undefined;
  }
  return optimize(exported) ? serialize(module) : undefined;
}
