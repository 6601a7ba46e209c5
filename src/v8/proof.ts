// The proof that V8's artifacts of this identity come back whole, found once in other processes and kept in the directory.

import { ModuleCache } from "../cache.ts";
import type { Engine, EntryPlace } from "../engine/engine.ts";
import { makeArtifact, Refused } from "./processes.ts";
import { PROBE } from "./probe.ts";

/** What a proof came to: this, or why not. */
const PROVEN = "proven";

/** Where proofs are kept. */
export type ProofPlace = Pick<EntryPlace, "directory" | "root" | "options">;

/** The proof of an identity in a directory. */
export class Proof {
  readonly #cache: ModuleCache<string>;

  /** Looks at nothing yet. */
  constructor(id: string, { directory, root, options }: ProofPlace) {
    const engine = proofEngine(id, `${root}/tmp`);
    this.#cache = new ModuleCache({ ...options, engine, directory, onWarning: () => {} });
  }

  /** Whether it is proven, or refuted, already; `undefined` where neither is known. Nothing is tried. */
  get known(): boolean | undefined {
    try {
      return this.#cache.resolveSync(PROBE).module === PROVEN;
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
    const { module } = await this.#cache.resolve(PROBE);
    if (module !== PROVEN) throw new Refused(module);
  }
}

/** Its modules are what proofs came to. A failure of the system is none: it is thrown, and so not kept. */
function proofEngine(id: string, folder: string): Engine<string> {
  return {
    id: `${id} proof`,
    native: true,
    compile: async () => {
      try {
        await makeArtifact({ id, grade: "full", code: PROBE }, folder);
        return PROVEN;
      } catch (error) {
        if (error instanceof Refused) return error.message;
        throw error;
      }
    },
    compileSync: () => {
      throw new Error("Cannot prove synchronously");
    },
    serialize: (module) => new TextEncoder().encode(module),
    deserialize: (artifact) => new TextDecoder().decode(artifact),
  };
}
