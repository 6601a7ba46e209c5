// What is done in the background: code that Winch compiled is compiled by Cranelift in another process, when this one
// ends or has run for a while.

import { Attempt } from "../background/attempts.ts";
import { type Kind, later as remember } from "../background/later.ts";
import type { EntryPlace } from "../engine/engine.ts";
import type { Order } from "./order.ts";
import { mayStart, startSupervisor } from "./processes.ts";

const kind: Kind<Order> = { start: startSupervisor };

/** Remembers code until the process ends, or has run for a while; does nothing where no process may be started. */
export function later(work: Omit<Order, "target">, place: EntryPlace): void {
  if (!mayStart()) return;
  remember({
    place,
    bytes: work.code.length,
    kind,
    order: (target) => {
      const attempt = new Attempt(work.id, target);
      if (attempt.hindrance) return undefined;
      // Recorded before: if the compiler ends the process, then only once.
      attempt.note();
      return { ...work, target };
    },
  });
}
