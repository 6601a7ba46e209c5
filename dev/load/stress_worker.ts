// A process of the stress test: looks up what its plan says, checks every module, and logs each step of slow compiles.
// Argument: the plan, as JSON. Strict, so that whatever the cache has to complain of ends it.

import { appendFileSync } from "node:fs";
import { once } from "node:events";
import process from "node:process";
import { ModuleCache } from "@wasm/module-cache";
import { type MODULES, realModule, text } from "../../tests/_tools.ts";
import { slowCode, slowEngine } from "./slow_engine.ts";
import type { StressEvent, StressPlan, Wanted } from "./stress_plan.ts";

/** So long that it is never what lets a waiter go. */
const LOCK_TIMEOUT_MS = 120_000;

const plan: StressPlan = JSON.parse(process.argv[2] ?? "{}");
const options = { directory: plan.directory, strict: true, lockTimeoutMs: LOCK_TIMEOUT_MS };
const slow = new ModuleCache({ ...options, engine: slowEngine(plan.compileMs, tell) });
const host = new ModuleCache(options);
const codes = new Map(plan.lanes.flat().map((wanted) => [wanted, codeOf(wanted)]));

console.log("ready");
process.stdin.resume();
await once(process.stdin, "end");
if (plan.prunesInMs !== undefined) await pruneIn(plan.prunesInMs);
await Promise.all(plan.lanes.map(async (lane) => {
  for (const wanted of lane) await look(wanted);
}));
await Promise.all([slow.flush(), host.flush()]);

/** Files look so much older then: their own times say only when they were made. */
async function pruneIn(ms: number): Promise<void> {
  const { now } = Date;
  Date.now = () => now() + ms;
  await host.prune();
  Date.now = now;
}

function tell(event: StressEvent, name: string, from?: string): void {
  appendFileSync(plan.log, `${JSON.stringify({ pid: process.pid, atMs: Date.now(), event, name, from })}\n`);
  // For who waits for this step; the log is for those who read it after a kill.
  console.log(`${event} ${name}`);
}

async function look(wanted: Wanted): Promise<void> {
  const code = codes.get(wanted)!;
  tell("lookup", wanted.name);
  if (wanted.engine === "slow") {
    const { module, from } = await slow.resolve(code);
    check(module.text === text(code), wanted);
    tell("resolved", wanted.name, from);
  } else {
    const { module, from } = wanted.isSync ? host.resolveSync(code) : await host.resolve(code);
    const [stamp] = WebAssembly.Module.customSections(module, "stamp");
    check(stamp !== undefined && text(new Uint8Array(stamp)) === wanted.name, wanted);
    check(WebAssembly.Module.exports(module).length > 0, wanted);
    tell("resolved", wanted.name, from);
  }
}

function check(isRight: boolean, { engine, name }: Wanted): void {
  if (!isRight) throw new Error(`the ${engine} engine's cache gave another module than ${name}`);
}

function codeOf(wanted: Wanted): Uint8Array<ArrayBuffer> {
  return wanted.engine === "slow" ? slowCode(wanted) : stamped(wanted.name);
}

/** A real module with its name in a custom section at the end. */
function stamped(name: string): Uint8Array<ArrayBuffer> {
  const code = realModule(name.split(" ")[0] as keyof typeof MODULES);
  const content = new TextEncoder().encode(`\x05stamp${name}`);
  const stampedCode = new Uint8Array(code.length + 2 + content.length);
  stampedCode.set(code);
  stampedCode.set([0, content.length], code.length);
  stampedCode.set(content, code.length + 2);
  return stampedCode;
}
