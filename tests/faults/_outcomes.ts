// Faults: what a lookup may come to, and the calls whose failure is harmless by design, each with its reason. Knows the
// words for calls; runs nothing.

import type { CacheError } from "@wasm/module-cache";
import { systemCode } from "../../src/errors.ts";
import { type Call, type Fault, KNOWS_ERRNO } from "./_watch.ts";

/**
 * What comes of a fault: `"nothing"`, all is as without it; `"missing"`, the same, but that an entry was taken for one that
 * is not there; `"unwritten"`, no entry and no warning; else one warning, `"IO"` with this code as its cause's, or another
 * with its own code before that. `"itself"` stands for the code of the fault.
 */
export type Outcome = string;

interface Exception {
  readonly calls: RegExp;
  /** All where absent. */
  readonly faults?: readonly Fault[];
  /** When it holds; always where absent. */
  readonly when?: (circumstances: Circumstances) => boolean;
  /** One of these comes of it. */
  readonly gives: readonly Outcome[];
  readonly because: string;
}

/** What a fault happens in. */
export interface Circumstances {
  /** The lock of a prune is being taken. */
  readonly isBeforePrune: boolean;
  readonly isNative: boolean;
  readonly isMakingRoom: boolean;
}

const IS_DENO = "Deno" in globalThis;

/** Faults that do not simply give one warning with their code. The first that fits counts. */
const EXCEPTIONS: readonly Exception[] = [
  { calls: /^chmod /, gives: ["nothing"], because: "an umask only ever narrows, and some file systems have no modes" },
  {
    calls: /^touch entry$/,
    when: ({ isMakingRoom }) => !isMakingRoom,
    gives: ["nothing"],
    because: "an entry may then go earlier than it should, and is made again",
  },
  {
    calls: /^remove (folder of entries|engine's folder)$/,
    gives: ["nothing"],
    because: "an empty folder harms nobody, and there is always a next prune",
  },
  {
    calls: /^flock prune lock$/,
    faults: ["EBADF"],
    when: () => !KNOWS_ERRNO,
    gives: ["nothing", "unwritten"],
    because: "without errno a refusal looks like a lock that is held: whoever holds it is making room",
  },
  {
    calls: /./,
    when: ({ isBeforePrune }) => isBeforePrune,
    gives: ["nothing"],
    because: "two prunes at once do no harm: the lock only saves work",
  },
  {
    calls: /^(unlock .*|close folder of locks|[a-z]+ socket)$/,
    gives: ["nothing", "itself"],
    because: "a close that fails has given the lock back, a socket that stays is dead, and the work is done",
  },
  {
    calls: /^flock lock$/,
    faults: ["EBADF"],
    gives: [KNOWS_ERRNO ? "ENOLCK" : "nothing"],
    because: "errno tells why, where it can be had; else it looks like a lock that is held, and is tried again",
  },
  {
    calls: /^((stat|open|create|flock|close) lock|open folder of locks)$/,
    faults: ["ENOENT"],
    gives: ["nothing"],
    because: "what is missing is made, or gone without where it vanishes at once",
  },
  {
    calls: /^(create|close) lock$/,
    faults: ["EEXIST"],
    gives: ["nothing", "ENOENT"],
    because: "another process made it; if that was a lie, it is missing when it is opened",
  },
  {
    calls: /^mkdir /,
    faults: ["ENOENT"],
    gives: ["nothing"],
    because: "what is above it is made first, and then it again",
  },
  {
    calls: /^mkdir /,
    faults: ["EEXIST"],
    gives: ["nothing", "ENOENT", "unwritten"],
    because:
      "another process made it; if that was a lie, what is below it cannot be made, or makes it, or finds it gone",
  },
  {
    calls: /^(create|write|close) tag$/,
    faults: ["EEXIST"],
    gives: ["nothing"],
    because: "another process made it",
  },
  {
    calls: /^stat folder of temporaries$/,
    when: ({ isNative }) => !isNative,
    gives: ["nothing", "itself"],
    because: "it is looked at for its mode once it was made, and before a write, which is left out where it cannot be",
  },
  {
    calls: /^stat (directory|root|tag|folder of [a-z]+|engine's folder)$/,
    when: ({ isNative }) => !isNative,
    gives: ["nothing"],
    because: "the mode of what was just made is not known then, and stays as it is",
  },
  {
    calls: /^stat (temporary|lock|prune lock)$/,
    gives: ["nothing", "itself"],
    because: "the same; a prune looks at the first, and Deno at locks before it opens them",
  },
  {
    calls: /^realpath directory$/,
    gives: ["nothing"],
    because: "the parts of the path tell as much, one by one",
  },
  {
    calls: /^stat (directory|root|engine's folder|folder of [a-z]+|entry)$/,
    faults: ["ENOENT"],
    when: ({ isNative }) => isNative,
    gives: ["nothing", "missing"],
    because: "what is not there is nobody's",
  },
  {
    calls: /^stat (directory|root|engine's folder|folder of [a-z]+|entry)$/,
    when: ({ isNative }) => isNative,
    gives: ["UNTRUSTED itself", "itself"],
    because: "machine code is not loaded from where it is not known who can write",
  },
  {
    calls: /^(stat|open|read|close) entry$/,
    faults: ["ENOENT"],
    gives: ["nothing", "missing"],
    because: "it was removed meanwhile",
  },
  {
    calls: /^(list|stat|touch|remove) /,
    faults: ["ENOENT"],
    when: ({ isNative }) => !isNative,
    gives: ["nothing"],
    because: "it was removed meanwhile, as a prune would have",
  },
  {
    calls: /^rename /,
    faults: ["ENOENT"],
    gives: ["nothing"],
    because: "the folder is made, and the step taken again",
  },
  {
    calls: /^(create|write|close) temporary$/,
    faults: ["ENOENT"],
    gives: ["nothing", "unwritten"],
    because: "who removed the directory while it was written to means it; the stamp is made with the next attempt",
  },
  {
    calls: /^(create|write|close) tag$/,
    faults: ["ENOENT"],
    gives: ["nothing", "itself"],
    because: "what is missing is made by the next who needs it",
  },
  {
    calls: /^write /,
    faults: ["short"],
    when: () => IS_DENO,
    gives: ["ENOSPC"],
    because: "the next call would end the process, where it is a limit that cuts it short",
  },
  { calls: /^(read|write) /, faults: ["short"], gives: ["nothing"], because: "the rest comes with the next call" },
  { calls: /^write /, faults: ["nothing"], gives: ["EIO"], because: "to try again would be to try for ever" },
];

/** What may come of a fault. */
export function outcomesOf({ label }: Call, fault: Fault, circumstances: Circumstances): readonly Outcome[] {
  const exception = EXCEPTIONS.find(({ calls, faults, when }) =>
    calls.test(label) && (faults?.includes(fault) ?? true) && (when?.(circumstances) ?? true)
  );
  return (exception?.gives ?? ["itself"]).map((outcome) => outcome.replace("itself", fault));
}

/** What a fault came to. */
export function outcomeOf({ code, cause }: CacheError): Outcome {
  return code === "IO" ? systemCode(cause) : `${code} ${systemCode(cause)}`;
}
