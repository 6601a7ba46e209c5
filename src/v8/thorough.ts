// The V8 engine that takes its time: it makes artifacts before it goes on.

import type { Bytes } from "../engine/calls.ts";
import type { Engine, EntryPlace } from "../engine/engine.ts";
import { graded, ungraded } from "./artifact.ts";
import { compiling, isWorth, load } from "./load.ts";
import { builtin } from "../platform/node_files.ts";
import type { Order } from "./order.ts";
import { makeArtifact, Refused } from "./processes.ts";
import { Proof } from "./proof.ts";

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
    serialize: async (_module, code, place) => {
      if (!isWorth(code)) return undefined;
      if (place) await new Proof(goal.id, place).find();
      return await make(goal, code, place);
    },
    deserialize: (artifact, code) => load(goal.id, goal.grade, artifact, code),
  };
}

async function make(goal: Goal, code: Bytes, place: EntryPlace | undefined): Promise<Uint8Array | undefined> {
  const folder = place ? `${place.root}/tmp` : builtin("node:os").tmpdir();
  try {
    return graded(await makeArtifact({ ...goal, code }, folder), goal.grade);
  } catch (error) {
    // What one run happened to optimize is as good as it gets then: nobody shall try again at every start.
    const there = error instanceof Refused && goal.profile ? place?.read() : undefined;
    if (!there) throw error;
    return graded(ungraded(new Uint8Array(there)), goal.grade);
  }
}
