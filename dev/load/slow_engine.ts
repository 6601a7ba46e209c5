// An engine that takes its time and tells of each step; its artifact is not its code, and as long as wanted.

import { Buffer } from "node:buffer";
import { bytes, text, type TextModule } from "../../tests/_tools.ts";
import type { Engine } from "@wasm/module-cache";
import type { StressEvent, Wanted } from "./stress_plan.ts";

/** Code of the slow engine. */
export function slowCode({ name, artifactBytes = 100 }: Wanted): Uint8Array<ArrayBuffer> {
  return bytes(`${artifactBytes} ${name}`);
}

/** Makes the engine; alike in all processes, whatever time it takes. */
export function slowEngine(
  compileMs: number,
  tell: (event: StressEvent, name: string) => void,
): Engine<TextModule> {
  return {
    id: "slow-1",
    compile: async (code) => {
      const name = nameOf(code);
      tell("compile", name);
      await new Promise((resolve) => setTimeout(resolve, compileMs));
      tell("compiled", name);
      return { text: text(code) };
    },
    serialize: (module) => artifactOf(module.text),
    deserialize: (artifact) => {
      const module = { text: text(artifact.subarray(0, artifact.indexOf(0))) };
      if (Buffer.compare(artifact, artifactOf(module.text)) !== 0) {
        throw new Error(`artifact of ${module.text} is another`);
      }
      return module;
    },
  };
}

function nameOf(code: Uint8Array): string {
  const whole = text(code);
  return whole.slice(whole.indexOf(" ") + 1);
}

/** The text again and again, so that no part of it is left unchecked. */
function artifactOf(content: string): Uint8Array {
  const artifact = new Uint8Array(parseInt(content));
  const unit = bytes(`${content}\0`);
  artifact.set(unit.subarray(0, artifact.length));
  for (let filled = unit.length; filled < artifact.length; filled *= 2) {
    artifact.copyWithin(filled, 0, Math.min(filled, artifact.length - filled));
  }
  return artifact;
}
