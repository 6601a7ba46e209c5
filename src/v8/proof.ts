// The proof that V8's artifacts of this identity come back whole, found once in other processes and kept in the directory.

import { type Context, openContext } from "../context.ts";
import { runAsync, runSync } from "../effect.ts";
import type { Engine, EntryPlace } from "../engine/engine.ts";
import { fromUtf8, now, toUtf8 } from "../platform/globals.ts";
import { lookup } from "../lookup.ts";
import { makeArtifact, Refused } from "./processes.ts";
import { PROBE } from "./probe.ts";

/** What a proof came to. */
interface Outcome {
  /** Why V8 does not do what is needed; absent where it does. */
  readonly refusal?: string;
  /** When that was found, ms since 1970. */
  readonly atMs: number;
}

/** How long a refusal stands, ms: memory that was used up looks like a crash. */
const REFUSED_MS = 24 * 60 * 60 * 1000;

/** Where proofs are kept. */
export type ProofPlace = Pick<EntryPlace, "directory" | "root" | "options">;

/** The proof of an identity in a directory. */
export class Proof {
  readonly #context: Context<Outcome>;

  /** Looks at nothing yet. */
  constructor(id: string, { directory, root, options }: ProofPlace) {
    const engine = proofEngine(id, `${root}/tmp`);
    const settings = { ...options, engine, directory, onWarning: () => {} };
    this.#context = openContext(settings, undefined, { mustExist: true });
  }

  /** Whether it is proven, or refuted, already; `undefined` where neither is known. Nothing is tried. */
  get known(): boolean | undefined {
    try {
      return runSync(lookup(this.#context, PROBE)).module.refusal === undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * Proves it where nobody has yet; takes some processes.
   *
   * @throws {Refused} When V8 does not do what is needed.
   */
  async find(): Promise<void> {
    const { refusal } = (await runAsync(lookup(this.#context, PROBE))).module;
    if (refusal !== undefined) throw new Refused(refusal);
  }
}

/** Its modules are what proofs came to. A failure of the system is none: it is thrown, and so not kept. */
function proofEngine(id: string, folder: string): Engine<Outcome> {
  return {
    id: `${id} proof`,
    native: true,
    compile: async () => {
      try {
        await makeArtifact({ id, grade: "full", code: PROBE }, folder);
        return { atMs: now() };
      } catch (error) {
        if (error instanceof Refused) return { refusal: error.message, atMs: now() };
        throw error;
      }
    },
    compileSync: () => {
      throw new Error("Cannot prove synchronously");
    },
    serialize: (outcome) => toUtf8(JSON.stringify(outcome)),
    deserialize: (artifact) => {
      const outcome = JSON.parse(fromUtf8(artifact)) as Outcome;
      const isOver = outcome.refusal !== undefined && Math.abs(now() - outcome.atMs) > REFUSED_MS;
      return isOver ? undefined : outcome;
    },
  };
}
