// Makes an artifact and waits for it.

import type { Bytes } from "../engine/calls.ts";
import type { EntryPlace } from "../engine/engine.ts";
import { builtin } from "../platform/node_files.ts";
import { graded, ungraded } from "./artifact.ts";
import { makeArtifact, Refused } from "./processes.ts";
import { Proof } from "./proof.ts";
import type { Goal } from "./thorough.ts";
import { isWorth } from "./wasm.ts";

/**
 * Makes an artifact of a code, once it is proven that V8 does what is needed.
 *
 * @returns The artifact, or `undefined` where it would save nothing.
 * @throws {Refused} When V8 does not do what is needed.
 */
export async function make(goal: Goal, code: Bytes, place: EntryPlace | undefined): Promise<Bytes | undefined> {
  if (!isWorth(code)) return undefined;
  if (place) await new Proof(goal.id, place).find();
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
