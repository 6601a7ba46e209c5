// An engine that is quick, works in both kinds of run, and whose artifact is not its code: every byte is inverted.

import type { Engine } from "@wasm/module-cache";

/** A module of the engine: the code, read back if need be. */
export interface ArtifactModule {
  /** The code that it came from. */
  readonly code: Uint8Array;
}

/** Makes the engine. */
export function artifactEngine(): Engine<ArtifactModule> {
  return {
    id: "inverted-1",
    compile: (code) => Promise.resolve({ code }),
    compileSync: (code) => ({ code }),
    serialize: ({ code }) => inverted(code),
    deserialize: (artifact) => ({ code: inverted(artifact) }),
  };
}

function inverted(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => ~byte);
}
