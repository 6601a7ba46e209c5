// Which engine the command line uses: the one that `register` would use, or the one that was named.

import type { Engine } from "../engine/engine.ts";
import { hostEngine } from "../engine/host.ts";

/** An engine, and why it was chosen. */
export interface Chosen {
  /** Its name on the command line. */
  readonly name: string;
  /** The engine. */
  readonly engine: Engine;
  /** Why it is not a better one. */
  readonly reason?: string;
}

/** Names of engines. */
export const ENGINES = ["auto", "host", "v8", "wasmtime"] as const;

interface Available {
  readonly available: boolean;
  readonly reason?: string;
}

type Maker = (() => unknown) & { available(): Available };

const MAKERS: Record<string, () => Promise<Maker>> = {
  wasmtime: async () => (await import("../wasmtime/engine.ts")).wasmtime as Maker,
  v8: async () => (await import("../v8/engine.ts")).v8Engine as Maker,
};

/**
 * Chooses an engine.
 *
 * @param name Its name, or `"auto"` for the best whose modules are the runtime's own.
 * @throws {TypeError} When it is not there.
 */
export async function chooseEngine(name: string): Promise<Chosen> {
  if (!(ENGINES as readonly string[]).includes(name)) {
    throw new TypeError(`--engine must be one of ${ENGINES.join(", ")}, not "${name}"`);
  }
  // As `register` chooses: Wasmtime's modules are not the runtime's own, so it is used where it is asked for.
  const wanted = name === "auto" ? "v8" : name;
  if (wanted === "host") return { name: wanted, engine: hostEngine() };
  const make = await MAKERS[wanted]!();
  const { available, reason } = make.available();
  if (available) return { name: wanted, engine: make() as Engine };
  if (name === "auto") return { name: "host", engine: hostEngine(), reason: `v8 cannot be used here: ${reason}` };
  throw new TypeError(`--engine ${name} cannot be used here: ${reason}`);
}
