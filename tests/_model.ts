// A model checker for the lookup protocol: runs the real generator of several tasks on files in memory, through every
// order of their steps, and lets processes die at every step.
//
// Pruning: steps that touch nothing shared (hashing, compiling) are taken together with the step before them, for they
// commute with all others; and a state that was reached before is not gone on from. The state of a process is the list of
// what its steps gave, for an operation is decided by that; the rest of the state is the files and the locks.

import { createHash } from "node:crypto";
import type { ModuleCacheOptions, Resolved } from "@wasm/module-cache";
import { type Context, openContext, type Storage } from "../src/context.ts";
import { type Effect, immediate, type Operation, runSync } from "../src/effect.ts";
import { codeAsArtifact } from "../src/engine/calls.ts";
import { systemCode } from "../src/errors.ts";
import { lookup } from "../src/lookup.ts";
import { MemoryFiles, memoryPlatform } from "./_memory_platform.ts";
import type { Lock } from "../src/platform/platform.ts";
import { nativeSha256 } from "../src/platform/web.ts";
import type { WriteBehind } from "../src/disk/write_behind.ts";
import { bytes, TextEngine, type TextModule } from "./_tools.ts";

/** One lookup, or a prune where there is no code. */
export interface TaskPlan {
  /** Which process does it; tasks of one process share a cache. */
  readonly process: number;
  /** The code. */
  readonly code?: string;
  /** Whether it is a synchronous lookup: nothing else of its process runs until it ends. */
  readonly isSync?: boolean;
}

/** What is explored. */
export interface Scenario {
  /** The lookups, all begun at once. */
  readonly tasks: readonly TaskPlan[];
  /** How many processes may die, at any step. */
  readonly deaths?: number;
  /** Codes that other processes looked up before, at the times 0, 1, 2, …; a prune has removed none of them. */
  readonly before?: readonly string[];
  /** Whether those entries have become too old. */
  readonly isLater?: boolean;
  /** Whether the engine keeps code, so that writes are tasks of their own. */
  readonly keepsCode?: boolean;
  /** Limit of the directory, bytes. */
  readonly maxDiskBytes?: number;
}

/** How a task stands. */
export interface TaskState {
  readonly plan: TaskPlan;
  readonly operation: Operation<unknown>;
  pending?: Effect<unknown>;
  /** Waits for another task of its process, or for time to pass. */
  waiting?: "join" | "pause";
  joined?: { value: unknown } | { error: unknown };
  isDone?: boolean;
  /** What a lookup gave. */
  result?: Resolved<TextModule>;
  error?: unknown;
  isDead: boolean;
}

interface Process {
  readonly context: Context<TextModule>;
  readonly storage: Storage;
  readonly engine: TextEngine;
  readonly locks: Set<Lock>;
  readonly warnings: string[];
  history: string;
}

/** Everything there is in one schedule. */
export interface World {
  readonly files: MemoryFiles;
  readonly processes: Map<number, Process>;
  readonly tasks: TaskState[];
  clockMs: number;
  deaths: number;
}

/** A step of a schedule: a task goes on, or its process dies. */
export interface Choice {
  readonly task: number;
  readonly dies?: boolean;
}

/** How much was explored. */
export interface Explored {
  /** Different states. */
  readonly states: number;
  /** Orders of steps that lead from the start to an end. */
  readonly schedules: bigint;
}

/** Steps that touch nothing that others see. */
const LOCAL = new Set(["sha256", "xxh3", "begin compile", "begin all", "compile", "serialize", "deserialize", "turn"]);

/** The step before a task's first. */
const START = immediate("start", () => undefined);

/** Explores a scenario; `check` is called in every state where all is over and throws where something is wrong. */
export async function explore(scenario: Scenario, check: (world: World) => void): Promise<Explored> {
  const after = new Map<string, string[]>([["start", []]]);
  const open: Way[] = [{ from: "start", schedule: [] }];
  for (let way; (way = open.pop()) !== undefined;) {
    const world = await replay(scenario, way.schedule);
    // On in the same world, for as long as the states are new; the other choices are ways of their own.
    for (let next: Way | undefined = way; next !== undefined;) {
      const { from, schedule }: Way = next;
      next = undefined;
      const state = stateOf(world);
      after.get(from)!.push(state);
      if (after.has(state)) break;
      after.set(state, []);
      const choices = choicesOf(world, scenario);
      checkState(world, { choices, schedule }, check);
      const ways: Way[] = choices.map((choice) => ({ from: state, schedule: [...schedule, choice] }));
      next = ways.pop();
      open.push(...ways);
      if (next) await step(world, next.schedule.at(-1)!);
    }
  }
  return { states: after.size - 1, schedules: pathsFrom("start", after, new Map()) };
}

/** A schedule, and the state before its last choice. */
interface Way {
  readonly from: string;
  readonly schedule: readonly Choice[];
}

function checkState(
  world: World,
  { choices, schedule }: { choices: readonly Choice[]; schedule: readonly Choice[] },
  check: (world: World) => void,
): void {
  try {
    if (choices.length > 0) assertGoesOn(world, choices);
    else checkEnd(world, check);
  } catch (cause) {
    throw new Error(`schedule ${JSON.stringify(schedule)} goes wrong`, { cause });
  }
}

function assertGoesOn(world: World, choices: readonly Choice[]): void {
  if (choices.every(({ dies }) => dies)) {
    throw new Error(`tasks wait for ever: ${world.tasks.map(({ pending }) => pending?.name)}`);
  }
}

function checkEnd(world: World, check: (world: World) => void): void {
  const waits = world.tasks.filter(({ isDone, error, isDead }) => !isDone && !error && !isDead);
  if (waits.length > 0) throw new Error(`tasks wait for ever: ${waits.map(({ pending }) => pending?.name)}`);
  check(world);
}

/** How many orders of steps there are: states are shared between them, so they are counted and not walked. */
function pathsFrom(state: string, after: ReadonlyMap<string, readonly string[]>, known: Map<string, bigint>): bigint {
  let paths = known.get(state);
  if (paths === undefined) {
    const next = after.get(state)!;
    paths = next.length === 0 ? 1n : next.reduce((sum, state) => sum + pathsFrom(state, after, known), 0n);
    known.set(state, paths);
  }
  return paths;
}

async function replay(scenario: Scenario, schedule: readonly Choice[]): Promise<World> {
  const world = begin(scenario);
  for (const choice of schedule) await step(world, choice);
  return world;
}

async function step(world: World, choice: Choice): Promise<void> {
  await take(world, choice);
  // What one task settles reaches those that joined it in the turns of the microtask queue.
  for (let turn = 0; turn < 4; turn++) await null;
}

function begin(scenario: Scenario): World {
  const files = new MemoryFiles();
  files.directories.add("/cache");
  const world: World = { files, processes: new Map(), tasks: [], clockMs: 0, deaths: 0 };
  for (const code of scenario.before ?? []) {
    const { context, storage } = openProcess(world, { ...scenario, maxDiskBytes: undefined }, 0);
    runSync(lookup(context, bytes(code)));
    for (const { operation } of world.tasks.splice(0)) runSync(operation);
    runSync(storage.limits.prune());
    files.nowMs++;
  }
  if (scenario.isLater) files.nowMs += 31 * 24 * 3_600_000;
  for (const plan of scenario.tasks) {
    const process = world.processes.get(plan.process) ?? openProcess(world, scenario, plan.process);
    world.processes.set(plan.process, process);
    const operation = plan.code === undefined
      ? process.storage.limits.prune()
      : lookup(process.context, bytes(plan.code));
    world.tasks.push({ plan, operation, pending: START, isDead: false });
  }
  return world;
}

/** What the host engine is, for text. */
class CopyEngine extends TextEngine {
  override readonly compile = (code: Uint8Array): TextModule => super.compile(code);
  override readonly serialize = codeAsArtifact as unknown as TextEngine["serialize"];
  override readonly deserialize = this.compile;
}

function openProcess(world: World, { keepsCode, maxDiskBytes }: Scenario, id: number): Process {
  const engine = keepsCode ? new CopyEngine() : new TextEngine();
  const locks = new Set<Lock>();
  const warnings: string[] = [];
  let names = 0;
  // The files of all, under the process's own names for its temporary files, and with its locks known: they go when it dies.
  const files = Object.assign(Object.create(world.files), {
    temporaryName: () => `${id}-${names++}`,
    tryLock: (path: string) => {
      const effect = world.files.tryLock!(path);
      const sync = () => {
        const lock = effect.sync();
        if (lock) locks.add(lock);
        return lock && { release: () => (locks.delete(lock), lock.release()) };
      };
      return { ...effect, sync };
    },
  }) as MemoryFiles;
  const sha256 = nativeSha256((data) => createHash("sha256").update(data).digest());
  const platform = { ...memoryPlatform(files, sha256), clock: () => world.clockMs };
  const options: ModuleCacheOptions<TextModule> = {
    engine,
    directory: "/cache",
    maxDiskBytes,
    onWarning: ({ code, cause }) => warnings.push(`${code} ${systemCode(cause)}`),
  };
  const opened = openContext(options, platform);
  const storage = { ...opened.storage as Storage, behind: behindIn(world, id) };
  return { context: { ...opened, storage }, storage, engine, locks, warnings, history: "" };
}

/** Writes behind the callers' backs: each is a task of its own. */
function behindIn(world: World, process: number): WriteBehind {
  const schedule: WriteBehind["schedule"] = (_key, _bytes, write) => {
    world.tasks.push({ plan: { process }, operation: write(), pending: START, isDead: false });
  };
  return { schedule, settle: () => immediate("settle", () => {}) } as unknown as WriteBehind;
}

/** Which steps can come next. */
function choicesOf(world: World, { deaths = 0 }: Scenario): Choice[] {
  const alive = world.tasks.map((task, i) => ({ task, i })).filter(({ task }) => task.pending && !task.isDead);
  const busy = new Set(
    alive.filter(({ task }) => task.plan.isSync && hasBegun(world, task)).map(({ task }) => task.plan.process),
  );
  const free = alive.filter(({ task }) => !busy.has(task.plan.process) || task.plan.isSync && hasBegun(world, task));
  const isFree = world.files.isUnlocked;
  const ready = free.filter(({ task }) => !task.waiting || task.joined || task.waiting === "pause" && isFree);
  // Time passes only when nothing else can happen: then those that pause look again.
  const next = ready.length > 0 ? ready : free.filter(({ task }) => task.waiting === "pause");
  const steps: Choice[] = next.map(({ i }) => ({ task: i }));
  const dying: Choice[] = world.deaths < deaths ? next.map(({ i }) => ({ task: i, dies: true })) : [];
  return [...steps, ...dying];
}

function hasBegun(world: World, task: TaskState): boolean {
  return world.processes.get(task.plan.process)!.history.includes(`${world.tasks.indexOf(task)}:`);
}

async function take(world: World, { task: i, dies }: Choice): Promise<void> {
  const task = world.tasks[i]!;
  if (dies) return die(world, task.plan.process);
  const effect = task.pending!;
  const resume = await resultOf(world, task, effect);
  if (resume) advance(world, task, resume);
}

/** Takes a step; gives how the operation goes on, or nothing while it waits. */
async function resultOf(
  world: World,
  task: TaskState,
  effect: Effect<unknown>,
): Promise<(() => IteratorResult<Effect<unknown>, unknown>) | undefined> {
  const { operation, plan: { isSync } } = task;
  if (effect.name === "join" && !isSync) {
    if (!task.waiting) {
      task.waiting = "join";
      const landing = effect.async() as Promise<unknown>;
      landing.then((value) => task.joined = { value }, (error) => task.joined = { error });
      note(world, task, "joins");
      return undefined;
    }
    const { joined } = task;
    delete task.waiting;
    delete task.joined;
    note(world, task, "joined");
    return "value" in joined!
      ? () => operation.next(joined.value)
      : () => operation.throw((joined as { error: unknown }).error);
  }
  if (effect.name === "pause" && !isSync) {
    const wasWaiting = task.waiting === "pause";
    const isLocked = !world.files.isUnlocked;
    task.waiting = "pause";
    // It looks again when the lock may be free, or when time has passed because nobody else can go on.
    if (!wasWaiting && isLocked) {
      note(world, task, "pauses");
      return await Promise.resolve(undefined);
    }
    delete task.waiting;
    if (isLocked) world.clockMs += 20_000;
    note(world, task, "looks again");
    return () => operation.next(true);
  }
  try {
    const value = effect.sync();
    note(world, task, `${effect.name} ${fingerprint(value)}`);
    return () => operation.next(value);
  } catch (error) {
    note(world, task, `${effect.name} ${systemCode(error)}`);
    return () => operation.throw(error);
  }
}

/** Goes on to the next step that others can see. */
function advance(
  world: World,
  task: TaskState,
  resume: () => IteratorResult<Effect<unknown>, unknown>,
): void {
  delete task.pending;
  try {
    let step = resume();
    while (!step.done && LOCAL.has(step.value.name)) {
      let value: unknown;
      try {
        value = step.value.sync();
      } catch (error) {
        step = task.operation.throw(error);
        continue;
      }
      step = task.operation.next(value);
    }
    if (!step.done) task.pending = step.value;
    else {
      task.isDone = true;
      if (task.plan.code !== undefined) task.result = step.value as Resolved<TextModule>;
    }
  } catch (error) {
    task.error = error;
  }
  note(world, task, `then ${task.pending?.name ?? "ends"}`);
}

/** A process dies: no `finally` runs, and the system gives its locks back. */
function die(world: World, id: number): void {
  world.deaths++;
  for (const lock of world.processes.get(id)!.locks) lock.release();
  for (const task of world.tasks) {
    if (task.plan.process === id && !task.isDone && !task.error) task.isDead = true;
  }
  world.processes.get(id)!.history += "dies";
}

function note(world: World, task: TaskState, what: string): void {
  const process = world.processes.get(task.plan.process)!;
  process.history += `${world.tasks.indexOf(task)}:${what};`;
}

function stateOf(world: World): string {
  const histories = [...world.processes.values()].map(({ history }) => history);
  const files = [...world.files.content].sort(([a], [b]) => a < b ? -1 : 1).map(([path, data]) =>
    path + fingerprint(data)
  );
  const tasks = world.tasks.map(({ waiting, joined, isDead }) => `${waiting}${joined !== undefined}${isDead}`);
  const times = [...world.files.modified].sort(([a], [b]) => a < b ? -1 : 1);
  return JSON.stringify([
    histories,
    files,
    times,
    [...world.files.directories].sort(),
    world.files.isUnlocked,
    tasks,
    world.clockMs,
  ]);
}

function fingerprint(value: unknown): string {
  if (value instanceof Uint8Array) return createHash("sha1").update(value).digest("base64").slice(0, 10);
  if (typeof value === "object" && value !== null) return `{${Object.values(value).map(fingerprint)}}`;
  return typeof value === "function" ? "function" : String(value);
}
