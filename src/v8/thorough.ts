// The V8 engine that takes its time: it makes artifacts before it goes on.

import type { Engine } from "../engine/engine.ts";
import { compiling, load } from "./load.ts";
import type { Order } from "./order.ts";

/** What a thorough engine makes. */
export type Goal = Pick<Order, "id" | "grade" | "profile">;

/**
 * Makes artifacts of a grade, each in processes of its own, and takes no lesser ones.
 *
 * @param goal The identity, the grade, and what was executed where that decides.
 */
export function thoroughEngine(goal: Goal): Engine<WebAssembly.Module> {
  return {
    ...compiling,
    id: goal.id,
    native: true,
    serialize: async (_module, code, place) => (await import("./make.ts")).make(goal, code, place),
    deserialize: (artifact, code) => load(goal.id, goal.grade, artifact, code),
  };
}
