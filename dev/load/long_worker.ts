// A process of the long run: looks small modules up in two caches, under one limit after another, checks each, and reports
// on itself. Argument: the plan, as JSON.

import { Buffer } from "node:buffer";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import process from "node:process";
import { ModuleCache, type ModuleCacheOptions } from "@wasm/module-cache";
import { artifactEngine, type ArtifactModule } from "./artifact_engine.ts";
import type { LongPlan, Phase, Report } from "./long_plan.ts";
import { below, randomFrom } from "./random.ts";
import { isCompiledFrom, MODULE_COUNT, type SmallModule, smallModules } from "./small_modules.ts";

interface Caches {
  readonly host: ModuleCache;
  readonly artifact: ModuleCache<ArtifactModule>;
}

/** Limits of memory, from none to nothing. */
const MEMORY_LIMITS: readonly ModuleCacheOptions[] = [
  {},
  { maxEntries: 0 },
  { maxEntries: 20 },
  { maxMemoryBytes: 200_000 },
  { maxEntries: 1, maxMemoryBytes: 50_000 },
  { maxMemoryBytes: 0 },
  { maxEntries: 500, maxMemoryBytes: 4_000_000 },
];

/** Most lookups that are under way at a time. */
const MAX_AT_ONCE = 8;

const plan: LongPlan = JSON.parse(process.argv[2] ?? "{}");
const random = randomFrom(plan.worker);
const modules = smallModules();
const from: Record<string, number> = { memory: 0, disk: 0, compiled: 0, recompiled: 0 };
const warnings: Record<string, number> = {};
let lookups = 0;
/** A cache for the whole run: what it may add is counted from prune to prune, not from phase to phase. */
const opened = new Map<string, Caches>();

console.log("ready");
process.stdin.resume();
await once(process.stdin, "end");
const startMs = Date.now();
let endMs = startMs;
let reportedMs = startMs;
for (const [i, phase] of plan.phases.entries()) {
  endMs += phase.lengthMs;
  const caches = opened.get(phase.directory) ?? open(phase, MEMORY_LIMITS[(plan.worker + i) % MEMORY_LIMITS.length]!);
  opened.set(phase.directory, caches);
  while (Date.now() < endMs) {
    await step(caches);
    if (Date.now() - reportedMs >= plan.reportMs) await report(caches);
  }
  await report(caches);
}

function open({ directory, maxDiskBytes }: Phase, limits: ModuleCacheOptions): Caches {
  const { maxEntries, maxMemoryBytes } = limits;
  const onWarning = ({ code, message }: { code: string; message: string }) => {
    const kind = `${code} at ${maxDiskBytes}`;
    warnings[kind] = (warnings[kind] ?? 0) + 1;
    if (code !== "LIMIT") console.error(message);
  };
  const options = { directory, maxDiskBytes, maxEntries, maxMemoryBytes, onWarning };
  return { host: new ModuleCache(options), artifact: new ModuleCache({ ...options, engine: artifactEngine() }) };
}

/** Some lookups; now and then something else. */
async function step(caches: Caches): Promise<void> {
  if (random() < 0.3) lookSync(caches);
  else await Promise.all(Array.from({ length: 1 + below(random, MAX_AT_ONCE) }, () => look(caches)));
  if (random() < 0.01) await Promise.all([caches.host.flush(), caches.artifact.flush()]);
  if (random() < 0.005) {
    caches.host.clearMemory();
    caches.artifact.clearMemory();
  }
}

async function look({ host, artifact }: Caches): Promise<void> {
  const wanted = choose();
  if (random() < 0.5) note(await host.resolve(wanted.code), (module) => isCompiledFrom(wanted, module));
  else note(await artifact.resolve(wanted.code), ({ code }) => equal(code, wanted.code));
}

function lookSync({ host, artifact }: Caches): void {
  const wanted = choose();
  if (random() < 0.5) note(host.resolveSync(wanted.code), (module) => isCompiledFrom(wanted, module));
  else note(artifact.resolveSync(wanted.code), ({ code }) => equal(code, wanted.code));
}

/** Half of the lookups go by Zipf's law, to a few modules most often, and the few change with time; half to any. */
function choose(): SmallModule {
  const rank = random() < 0.5 ? Math.exp(random() * Math.log(MODULE_COUNT)) : random() * MODULE_COUNT;
  return modules[(Math.floor(rank) * 997 + Math.floor(lookups / 1000)) % MODULE_COUNT]!;
}

function note<M>(resolved: { module: M; from: string }, isRight: (module: M) => boolean): void {
  lookups++;
  from[resolved.from]!++;
  if (!isRight(resolved.module)) throw new Error(`another module than the one wanted, from ${resolved.from}`);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

async function report({ host, artifact }: Caches): Promise<void> {
  await Promise.all([host.flush(), artifact.flush()]);
  reportedMs = Date.now();
  const all = [...opened.values()].flatMap(({ host, artifact }) => [host.stats(), artifact.stats()]);
  const writes = all.reduce((sum, stats) => sum + stats.writes, 0);
  const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage();
  const atMs = reportedMs - startMs;
  const line: Report = { atMs, rssBytes, heapBytes, descriptors: descriptors(), from, writes, warnings };
  console.log(JSON.stringify(line));
}

function descriptors(): number | undefined {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : undefined;
}
