// What is done in the background: when the process ends, or has run for a while, what V8 has optimized of the modules
// compiled here goes to another process, which makes entries. Keeps no module alive.

import { Attempt } from "../background/attempts.ts";
import { type Kind, later as remember } from "../background/later.ts";
import type { Target } from "../background/orders.ts";
import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { profileOf, wholeProfile } from "./artifact.ts";
import { hasFlagsOf } from "./identity.ts";
import { instantiate, optimize, serialize } from "./intrinsics.ts";
import type { Order } from "./order.ts";
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

const kind: Kind<Order> = { start: startSupervisor };

/** Remembers a module until the process ends, or has run for a while. */
export function later({ code, module, place, ...cold }: Cold): void {
  if (code.length < MIN_BYTES) return;
  const held = new WeakRef(module);
  const order = (target: Target) => orderOf({ ...cold, code, module: held, target });
  remember({ place, bytes: code.length, kind, order });
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
