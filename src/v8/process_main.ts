// Program of the helper processes, which make artifacts or supervise those that do. Its role is its argument, its
// orders come by standard input, an artifact goes to descriptor 3. Never imported.

import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import type { Bytes } from "../engine/calls.ts";
import { checkFolder, ordersIn } from "../background/orders.ts";
import { withFlagsOf } from "./artifact.ts";
import { identity } from "./identity.ts";
import { deserialize, serialize } from "./intrinsics.ts";
import { EXITS, type Order, type Role } from "./order.ts";
import { PROBE, probeArtifact, works } from "./proof.ts";

/** Most processor time for an artifact that nobody waits for, ms, and how often to check. */
const [MAX_CPU_MS, LOOK_MS] = [60_000, 100];

/** How many times in a row V8 must be found without work, which is to use less time than this, ms. */
const [QUIET_LOOKS, QUIET_MS] = [4, 5];

const { readFileSync, unlinkSync, writeFileSync } = builtin("node:fs");
const { argv, cpuUsage, exit } = nodeProcess();
const [, , role, name] = argv as [string, string, Role, string | undefined];
const roles: Record<Role, (orders: Order[]) => void | Promise<void>> = {
  name: ([order]) => void new WebAssembly.Module(order!.code),
  full: ([order]) => give(serialize(new WebAssembly.Module(order!.code))),
  optimize: ([order]) => optimizeProfiled(order!, name!),
  verify: ([order]) => verify(order!),
  supervise: async (orders) => (await import("./maker.ts")).make(orders),
};
// An error ends the process, which is the answer.
void roles[role](ordersIn(new Uint8Array(readFileSync(0))));

function give(artifact: Bytes): void {
  writeFileSync(3, artifact);
}

async function optimizeProfiled({ code, grade, profile }: Order, name: string): Promise<void> {
  // V8 reads it by name, from this very folder, whatever is done to the folder's own name.
  checkFolder(".");
  writeFileSync(name, profile!, { flag: "wx", mode: 0o600 });
  const module = new WebAssembly.Module(code);
  unlinkSync(name);
  const isWhole = await isOptimized();
  if (!isWhole && grade === "full") exit(EXITS.tooLong);
  give(serialize(module));
  exit(0);
}

/** Waits until V8 has optimized all; gives `false` where the time was up before. */
function isOptimized(): Promise<boolean> {
  return new Promise((resolve) => {
    void quiet().then(() => resolve(true));
    setInterval(() => usedMs() > MAX_CPU_MS && resolve(false), LOOK_MS);
  });
}

/** Waits until V8's thread has no work. There is one: what it does for us here it did not do before what it had begun. */
async function quiet(): Promise<void> {
  for (let looks = 0; looks < QUIET_LOOKS;) {
    const beforeMs = usedMs();
    await WebAssembly.compile(PROBE);
    // It may not have begun yet, on a busy machine.
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    looks = usedMs() - beforeMs < QUIET_MS ? looks + 1 : 0;
  }
}

function usedMs(): number {
  const { system, user } = cpuUsage();
  return (system + user) / 1000;
}

function verify({ id, code, probe, snapshot }: Order): void {
  if (identity() !== id) exit(EXITS.otherIdentity);
  const own = probeArtifact();
  const proven = deserialize(withFlagsOf(probe!, own), PROBE);
  const artifact = withFlagsOf(snapshot!, own);
  if (!proven || !works(proven) || !deserialize(artifact, code)) exit(EXITS.notTheSame);
  give(artifact);
}
