// A process that asks for an artifact when it has no descriptors left; prints what came of it.

import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { identity } from "../../src/v8/identity.ts";
import { makeArtifact } from "../../src/v8/processes.ts";
import { PADDED } from "../_v8_tools.ts";

let unheard = 0;
process.on("uncaughtException", () => unheard++);
const order = { id: identity(), grade: "full", code: PADDED } as const;
const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
const before = timers();
const taken: number[] = [];
try {
  for (;;) taken.push(openSync("/dev/null", "r"));
} catch {
  // All are taken.
}
const { code } = await makeArtifact(order, process.argv[2]!).then(() => ({ code: "none" }), (error) => error);
const left = timers() - before;
taken.forEach((descriptor) => closeSync(descriptor));
setImmediate(() => console.log(`${code}, ${unheard} unheard, ${left} timers`));
