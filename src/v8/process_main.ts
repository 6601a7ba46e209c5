// A process of its own: makes artifacts, or sees to it that they are made. Its role is its argument, its orders are in the
// file of descriptor 3, and an artifact goes to descriptor 4. Nobody imports it but for its type.

import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { withFlagsOf } from "./artifact.ts";
import { identity } from "./identity.ts";
import { deserialize, optimize, serialize } from "./intrinsics.ts";
import { checkFolder, type Order, readOrders, readWhole, writeWhole } from "./order.ts";
import { isProbe, PROBE, works } from "./probe.ts";
import { NOT_THE_SAME, OTHER_IDENTITY, WHY_PRINTED } from "./processes.ts";

/**
 * What a process does with its orders:
 *
 * - `"name"`: has V8 say under which name it looks for the profile of the code;
 * - `"full"`: optimizes all of a module; `"profile"`: what its profile says;
 * - `"verify"`: gives the artifact the flags of a usual process, and loads it as one;
 * - `"supervise"`: makes entries, one after another, without hurry;
 * - `"work"`: makes an entry that somebody waits for, and prints why not.
 */
export type Role = "name" | Order["grade"] | "verify" | "supervise" | "work";

const [ORDERS, ARTIFACT] = [3, 4];

/** How often, and how many times in a row, V8's threads must be found without work. */
const LOOK_MS = 50;
const QUIET_LOOKS = 3;
const QUIET_LOOKS_ELSEWHERE = 40;

/** When what is done by then is enough. */
const LIMIT_MS = 10 * 60 * 1000;

const [, , role, name] = nodeProcess().argv as [string, string, Role, string | undefined];
const order = () => readOrders(ORDERS, 0).orders[0]!;
const entries = () => import("./entries.ts");
const roles: Record<Role, () => void | Promise<void>> = {
  name: () => void new WebAssembly.Module(order().code),
  full: () => writeWhole(ARTIFACT, 0, serialize(new WebAssembly.Module(order().code))),
  profile: () => optimizeProfiled(order(), name!),
  verify: () => verify(order()),
  supervise: async () => {
    giveWay();
    await (await entries()).supervise(ORDERS);
  },
  work: async () => {
    try {
      await (await entries()).carryOut(order(), { waits: true });
    } catch (error) {
      builtin("node:fs").writeSync(1, (error as Error).message);
      nodeProcess().exit(WHY_PRINTED);
    }
  },
};
// What it throws ends the process, and that is the answer.
void roles[role]();

async function optimizeProfiled({ code, profile }: Order, name: string): Promise<void> {
  const fs = builtin("node:fs");
  // V8 reads it by name, from this very folder, whatever is done to the folder's own name.
  checkFolder(".");
  // What a process left behind that was killed.
  fs.rmSync(name, { force: true });
  fs.writeFileSync(name, profile!, { flag: "wx", mode: 0o600 });
  let module;
  try {
    module = new WebAssembly.Module(code);
  } finally {
    fs.unlinkSync(name);
  }
  await quiet();
  writeWhole(ARTIFACT, 0, serialize(module));
}

/** Lets everybody else have the processors first; the processes that this one starts do so too. */
function giveWay(): void {
  const { constants, setPriority } = builtin("node:os");
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    // Linux weighs sessions before processes, and this process has one of its own.
    builtin("node:fs").writeFileSync("/proc/self/autogroup", String(constants.priority.PRIORITY_LOW));
  } catch {
    // Another system, or one that weighs processes alone.
  }
}

/** Waits until V8's threads have done what they were given: V8 itself does not tell. */
async function quiet(): Promise<void> {
  const looks = nodeProcess().platform === "linux" ? QUIET_LOOKS : QUIET_LOOKS_ELSEWHERE;
  const untilMs = performance.now() + LIMIT_MS;
  for (let still = 0; still < looks && performance.now() < untilMs;) {
    const before = nodeProcess().cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const after = nodeProcess().cpuUsage();
    const usedMs = (after.user + after.system - before.user - before.system) / 1000;
    still = usedMs < LOOK_MS / 10 && !isWaitingForProcessor() ? still + 1 : 0;
  }
}

/** Whether a thread but this one could go on: on a busy machine it uses no time and is not done. Known on Linux only. */
function isWaitingForProcessor(): boolean {
  const fs = builtin("node:fs");
  const { pid, platform } = nodeProcess();
  if (platform !== "linux") return false;
  return fs.readdirSync("/proc/self/task").some((thread) => {
    if (thread === String(pid)) return false;
    try {
      const [, state] = fs.readFileSync(`/proc/self/task/${thread}/stat`, "utf8").split(/\) /);
      return state !== undefined && /^[RD]/.test(state);
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
}

function verify({ id, code }: Order): void {
  if (identity() !== id) nodeProcess().exit(OTHER_IDENTITY);
  const fs = builtin("node:fs");
  const artifact = withFlagsOf(readWhole(ARTIFACT, 0, fs.fstatSync(ARTIFACT).size), usualArtifact());
  const module = deserialize(artifact, code);
  if (!module || (isProbe(code) && !works(module))) nodeProcess().exit(NOT_THE_SAME);
  writeWhole(ARTIFACT, 0, artifact);
}

/** What V8 writes down here, of another module: of one that lives here V8 would read nothing back. */
function usualArtifact(): Uint8Array {
  const module = new WebAssembly.Module(Uint8Array.from([...PROBE, 0, 2, 1, 97]));
  if (!optimize(new WebAssembly.Instance(module).exports.add)) nodeProcess().exit(NOT_THE_SAME);
  return serialize(module);
}
