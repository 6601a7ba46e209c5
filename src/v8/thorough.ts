// The V8 engine that takes its time: it has artifacts made before it goes on.

import { compiling } from "../engine/host.ts";
import type { Engine } from "../engine/engine.ts";
import { load } from "./load.ts";
import { isTellable, orderOf } from "./order.ts";
import { carryOutElsewhere } from "./processes.ts";
import { isWorth } from "./wasm.ts";

/**
 * Has the full artifact of a module made by another process, which writes the entry, and waits for it.
 *
 * @param id The identity.
 */
export function thoroughEngine(id: string): Engine<WebAssembly.Module> {
  return {
    ...compiling,
    id,
    native: true,
    serialize: async (_module, code, place) => {
      if (!place || !isTellable(place) || !isWorth(code)) return undefined;
      const order = orderOf({ id, grade: "full", code, place });
      place.prepare();
      await carryOutElsewhere(order, `${place.root}/tmp`);
      return undefined;
    },
    deserialize: (artifact, code) => load(id, "full", artifact, code),
  };
}
