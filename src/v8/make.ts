// The engine of the processes that make artifacts.

import type { Bytes } from "../engine/calls.ts";
import { compiling } from "../engine/host.ts";
import type { Engine, EntryPlace } from "../engine/engine.ts";
import { graded, isAtLeast, ungraded } from "./artifact.ts";
import type { Order } from "./order.ts";
import { makeArtifact, Refused } from "./processes.ts";

/** What a maker makes. */
export type Goal = Pick<Order, "id" | "grade" | "profile">;

/**
 * Makes artifacts of a grade, each in processes of its own, and keeps those that are as good already. Its modules are of no
 * use: an artifact that stands there is not loaded here.
 */
export function makerEngine(goal: Goal): Engine<WebAssembly.Module | true> {
  return {
    ...compiling,
    id: goal.id,
    native: true,
    serialize: (_module, code, place) => make(goal, code, place!),
    deserialize: (artifact) => isAtLeast(artifact, goal.grade) ? true : undefined,
  };
}

async function make(goal: Goal, code: Bytes, place: EntryPlace): Promise<Bytes> {
  try {
    return graded(await makeArtifact({ ...goal, code }, `${place.root}/tmp`), goal.grade);
  } catch (error) {
    // What one run happened to optimize is as good as it gets then: nobody shall try again at every start.
    const there = error instanceof Refused && goal.profile ? place.read() : undefined;
    if (!there) throw error;
    return graded(ungraded(new Uint8Array(there)), goal.grade);
  }
}
