// Faults: every call on the disk that a lookup makes fails, each in its turn and in every way. The module comes all the
// same, one warning says what was wrong, nothing that was good is lost, and nothing is left behind. Then real ones.

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  CacheError,
  type CacheWarning,
  type Engine,
  hostEngine,
  ModuleCache,
  type ModuleCacheOptions,
  type Provenance,
} from "@wasm/module-cache";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { perform, runSync } from "../src/effect.ts";
import { systemCode } from "../src/errors.ts";
import { detectPlatform } from "../src/platform/detect.ts";
import { age, ageTo } from "./_age.ts";
import {
  type Call,
  type Choose,
  CODES,
  descriptors,
  type Fault,
  faultsOf,
  inMemory,
  KNOWS_ERRNO,
  openBelow,
  roleOf,
  Watch,
  withWatches,
} from "./_faults.ts";
import type { Job, Report } from "./_faults_child.ts";
import {
  bytes,
  EMPTY_MODULE,
  entriesIn,
  hitsOnly,
  inDirectory,
  onlyEntry,
  ROOT,
  runScript,
  runtimes,
  text,
  TextEngine,
  type TextModule,
  thisRuntime,
} from "./_tools.ts";

/**
 * What comes of a fault: `"nothing"`, all is as without it; `"missing"`, the same, but that an entry was taken for one that
 * is not there; `"unwritten"`, no entry and no warning; else one warning, `"IO"` with this code as its cause's, or another
 * with its own code before that. `"itself"` stands for the code of the fault.
 */
type Outcome = string;

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

interface Circumstances {
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
    calls: /^unlock /,
    gives: ["nothing", "itself"],
    because: "a close that fails has given the lock back, and all that the lock was for is done",
  },
  {
    calls: /^flock lock$/,
    faults: ["EBADF"],
    gives: [KNOWS_ERRNO ? "ENOLCK" : "nothing"],
    because: "errno tells why, where it can be had; else it looks like a lock that is held, and is tried again",
  },
  {
    calls: /^(stat|open|create|flock|close) lock$/,
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

function outcomesOf({ label }: Call, fault: Fault, circumstances: Circumstances): readonly Outcome[] {
  const exception = EXCEPTIONS.find(({ calls, faults, when }) =>
    calls.test(label) && (faults?.includes(fault) ?? true) && (when?.(circumstances) ?? true)
  );
  return (exception?.gives ?? ["itself"]).map((outcome) => outcome.replace("itself", fault));
}

/** A lookup, and what it finds. */
interface Scenario<M> {
  readonly title: string;
  readonly engine: () => Engine<M>;
  readonly code: Uint8Array<ArrayBuffer>;
  readonly isRight: (module: M) => boolean;
  /** Where the module comes from without any fault. */
  readonly from: Provenance;
  /** What it warns of without any fault. */
  readonly warns?: "CORRUPT";
  readonly maxDiskBytes?: number;
  /** Fills the directory; it is missing where this is. */
  readonly prepare?: (directory: string) => void | Promise<void>;
}

const DAY_MS = 86_400_000;
/** A module that is not empty. */
const OTHER_MODULE = Uint8Array.of(...EMPTY_MODULE, 0, 2, 1, 118);

function nativeEngine(): Engine<TextModule> {
  return Object.assign(new TextEngine("native-1"), { native: true });
}

function fill(directory: string, names: readonly string[], engine: Engine<TextModule> = new TextEngine()): void {
  const cache = new ModuleCache({ engine, directory, strict: true });
  for (const name of names) cache.resolveSync(bytes(name));
}

async function fillHost(directory: string, codes: readonly Uint8Array[]): Promise<void> {
  const cache = new ModuleCache({ directory, strict: true });
  for (const code of codes) cache.resolveSync(code);
  await cache.flush();
}

function fillDamaged(directory: string): void {
  fill(directory, ["hello"]);
  const path = onlyEntry(directory);
  writeFileSync(path, readFileSync(path).map((byte, at) => at === 50 ? byte ^ 1 : byte));
  fill(directory, ["other"]);
}

function fillLongAgo(directory: string, names: readonly string[]): void {
  fill(directory, names);
  for (const path of entriesIn(directory)) age(path, 2 * DAY_MS);
}

/** Work of every kind for a prune: old entries, one from the future, empty folders, what a dead writer left. */
function fillUp(directory: string): void {
  fillLongAgo(directory, ["old 1", "old 2"]);
  fill(directory, ["other"]);
  const other = entriesIn(directory).find((path) => statSync(path).mtimeMs > Date.now() - DAY_MS)!;
  age(other, -2 * DAY_MS);
  mkdirSync(`${directory}/v1/gone-0123456789abcdef/00`, { recursive: true });
  const left = `${directory}/v1/tmp/1-01234567-89ab-cdef-0123-456789abcdef`;
  writeFileSync(left, "left by a dead writer");
  age(left, 2 * DAY_MS);
}

const artifact = {
  engine: (): Engine<TextModule> => new TextEngine(),
  code: bytes("hello"),
  isRight: ({ text }: TextModule) => text === "hello",
};
const host = {
  engine: hostEngine,
  code: EMPTY_MODULE,
  isRight: (module: unknown) => module instanceof WebAssembly.Module,
};

const SCENARIOS: readonly (Scenario<TextModule> | Scenario<WebAssembly.Module>)[] = [
  { ...artifact, title: "a cold lookup without a directory", from: "compiled" },
  {
    ...artifact,
    title: "a cold lookup",
    from: "compiled",
    prepare: (directory) => fill(directory, ["other"]),
  },
  {
    ...artifact,
    title: "a hit",
    from: "disk",
    prepare: (directory) => fill(directory, ["hello", "other"]),
  },
  {
    ...artifact,
    title: "a hit on what was not used for long",
    from: "disk",
    prepare: (directory) => fillLongAgo(directory, ["hello", "other"]),
  },
  {
    ...artifact,
    title: "a lookup of a damaged entry",
    from: "recompiled",
    warns: "CORRUPT",
    prepare: fillDamaged,
  },
  { ...artifact, title: "a lookup that makes room", from: "compiled", maxDiskBytes: 700, prepare: fillUp },
  {
    ...artifact,
    title: "a hit of machine code",
    engine: nativeEngine,
    from: "disk",
    prepare: (directory) => fill(directory, ["hello", "other"], nativeEngine()),
  },
  {
    ...host,
    title: "a cold lookup by the host engine",
    from: "compiled",
    prepare: (directory) => fillHost(directory, [OTHER_MODULE]),
  },
  {
    ...host,
    title: "a hit of the host engine",
    from: "disk",
    prepare: (directory) => fillHost(directory, [EMPTY_MODULE, OTHER_MODULE]),
  },
];

/** Files and folders, to be made again elsewhere. */
class Snapshot {
  readonly files = new Map<string, { bytes: Uint8Array; modified: Date }>();
  readonly #folders: string[] = [];

  /** Reads a directory; one that is missing has nothing in it. */
  constructor(directory: string) {
    for (const path of namesBelow(directory)) {
      const stat = statSync(`${directory}/${path}`);
      if (stat.isDirectory()) this.#folders.push(path);
      else this.files.set(path, { bytes: readFileSync(`${directory}/${path}`), modified: stat.mtime });
    }
  }

  entries(): [string, { bytes: Uint8Array; modified: Date }][] {
    return [...this.files].filter(([path]) => roleOf(`/${path}`) === "entry");
  }

  restore(directory: string): void {
    if (this.#folders.length > 0) mkdirSync(directory, { mode: 0o700 });
    for (const path of this.#folders) mkdirSync(`${directory}/${path}`, { mode: 0o700 });
    for (const [path, { bytes, modified }] of this.files) {
      writeFileSync(`${directory}/${path}`, bytes, { mode: 0o600 });
      // To the ms: by these times it is decided which entry goes first.
      ageTo(`${directory}/${path}`, modified.getTime());
    }
  }
}

function namesBelow(directory: string): string[] {
  try {
    return (readdirSync(directory, { recursive: true }) as string[]).sort();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw error;
    return [];
  }
}

/** One lookup among faults. */
interface Run<M> {
  readonly directory: string;
  readonly cache: ModuleCache<M>;
  readonly warnings: CacheWarning[];
  readonly watch: Watch;
  readonly module?: M;
  readonly from?: Provenance;
  readonly error?: unknown;
}

/** What a run may come to. */
interface Expectation {
  /** Anything with the right module, where absent. */
  readonly outcomes?: readonly Outcome[];
  readonly isStrict?: boolean;
  /** All of the directory was removed meanwhile. */
  readonly isRemoved?: boolean;
}

/** All faults of one scenario, and what was wrong with what came of them. */
class Exploration<M> {
  /** Faults taken. */
  faults = 0;
  readonly #wrong = new Map<string, string[]>();
  readonly #scenario: Scenario<M>;
  readonly #isSync: boolean;
  readonly #base: string;
  #before!: Snapshot;
  /** After a lookup without faults. */
  #after!: Snapshot;
  #calls!: readonly Call[];
  #runs = 0;
  #descriptors = 0;

  constructor(scenario: Scenario<M>, { isSync, base }: { isSync: boolean; base: string }) {
    this.#scenario = scenario;
    this.#isSync = isSync;
    this.#base = base;
  }

  async start(): Promise<void> {
    const directory = `${this.#base}/before`;
    await this.#scenario.prepare?.(directory);
    this.#before = new Snapshot(directory);
    const clean = await this.#run();
    this.#after = new Snapshot(clean.directory);
    this.#calls = clean.watch.calls;
    await this.#check("no fault", "", clean, { outcomes: ["nothing"] });
  }

  /** What was wrong, a line each. */
  get wrong(): string[] {
    return [...this.#wrong].map(([what, faults]) => `${what} (${[...new Set(faults)].join(" ")})`);
  }

  /** Each call fails once, in every way. */
  async failOnce(isStrict: boolean): Promise<void> {
    // Strict mode stops at the damage that another scenario is about.
    const calls = isStrict ? (await this.#run(undefined, true)).watch.calls : this.#calls;
    for (const [at, call] of calls.entries()) {
      const faults = isStrict || !this.#isSync ? inTurn(faultsOf(call), at) : faultsOf(call);
      for (const fault of faults) {
        const run = await this.#run((i) => i === at ? fault : undefined, isStrict);
        const outcomes = outcomesOf(call, fault, this.#circumstances(calls, at));
        await this.#check(`call ${at}, ${call.label}`, fault, run, { outcomes, isStrict });
      }
    }
  }

  /** From each call on, every call fails: the disk is gone. */
  async failForGood(): Promise<void> {
    for (const [at, call] of this.#calls.entries()) {
      for (const fault of ["EIO", "ENOENT", "EEXIST"] as const) {
        const run = await this.#run((i) => i >= at ? fault : undefined);
        await this.#check(`all from call ${at} on, ${call.label}`, fault, run, {});
      }
    }
  }

  /** A call fails, and the removal of the temporary file after it. */
  async failTwice(): Promise<number> {
    let removals = 0;
    for (const [at, call] of this.#calls.entries()) {
      const { watch } = await this.#run((i) => i === at ? "EIO" : undefined);
      const removal = watch.calls.findIndex(({ label }, i) => i > at && label === "remove temporary");
      if (removal < 0 || this.#calls[removal]?.label === "remove temporary") continue;
      removals++;
      for (const fault of CODES) {
        const run = await this.#run((i) => i === at ? "EIO" : i === removal ? fault : undefined);
        const outcomes = outcomesOf(call, "EIO", this.#circumstances(this.#calls, at));
        await this.#check(`call ${at}, ${call.label}, then ${removal}, remove temporary`, fault, run, { outcomes });
      }
    }
    return removals;
  }

  /** The whole directory is removed before each call. */
  async removeAll(): Promise<void> {
    for (const [at, call] of this.#calls.entries()) {
      const run = await this.#run((i, _call, directory) => {
        if (i === at) rmSync(directory, { recursive: true, force: true });
        return undefined;
      });
      await this.#check(`removed before call ${at}, ${call.label}`, "", run, { isRemoved: true });
    }
  }

  async #run(
    choose: (...given: [...Parameters<Choose>, string]) => Fault | undefined = () => undefined,
    isStrict = false,
  ) {
    const { code } = this.#scenario;
    const directory = `${this.#base}/${this.#runs++}`;
    this.#before.restore(directory);
    const warnings: CacheWarning[] = [];
    const cache = this.#open(directory, { strict: isStrict, onWarning: (warning) => warnings.push(warning) });
    const watch = new Watch(directory, (at, call) => choose(at, call, directory));
    const run = { directory, cache, warnings, watch };
    try {
      const { module, from } = await watch.during(async () => {
        const resolved = this.#isSync ? cache.resolveSync(code) : await cache.resolve(code);
        await cache.flush();
        return resolved;
      });
      return { ...run, module, from };
    } catch (error) {
      return { ...run, error };
    }
  }

  #open(directory: string, options: Partial<ModuleCacheOptions<M>>): ModuleCache<M> {
    const { engine, maxDiskBytes } = this.#scenario;
    return new ModuleCache<M>({ engine: engine(), directory, maxDiskBytes, lockTimeoutMs: 500, ...options });
  }

  #circumstances(calls: readonly Call[], at: number): Circumstances {
    const { engine, maxDiskBytes } = this.#scenario;
    return {
      isBeforePrune: /^(?!unlock).* prune lock$/.test(calls[at]!.label),
      isNative: engine().native ?? false,
      isMakingRoom: maxDiskBytes !== undefined,
    };
  }

  async #check(what: string, fault: string, run: Run<M>, expectation: Expectation): Promise<void> {
    this.faults++;
    try {
      if (fault !== "") assert(run.watch.failed.length > 0, "no call failed");
      const outcomes = expectation.isStrict ? this.#strictOutcomes(run) : this.#outcomes(run, expectation);
      const wanted = expectation.outcomes;
      assert(
        !wanted || wanted.some((outcome) => outcomes.includes(outcome)),
        `it gives ${outcomes.join(" or ")}, not ${wanted?.join(" or ")}`,
      );
      const isNoted = outcomes.every((outcome) => !["nothing", "missing"].includes(outcome));
      const isReplaced = run.watch.calls.some(({ label }) => label === "rename temporary to entry");
      assert(
        !isNoted || !isReplaced || this.#scenario.from !== "disk",
        "it wrote over an entry that it could not read",
      );
      this.#checkDirectory(run, expectation);
      await this.#checkNext(run);
    } catch (error) {
      const how = `${expectation.isStrict ? "strict, " : ""}${what}: ${(error as Error).message}`
        .replaceAll(run.directory, "DIR").replaceAll(fault, "<fault>");
      this.#wrong.set(how, [...this.#wrong.get(how) ?? [], fault]);
    }
  }

  /** What a lookup among faults came to: one thing, that may have two names. */
  #outcomes({ error, module, from, warnings, directory }: Run<M>, { outcomes, isRemoved }: Expectation): Outcome[] {
    const { isRight, warns, from: expectedFrom } = this.#scenario;
    if (error !== undefined) throw new Error(`the lookup failed: ${error}`);
    assert(module !== undefined && isRight(module), "the module is wrong");
    const faults = warnings.filter(({ code }) => code !== warns).map(outcomeOf);
    assert(warnings.length - faults.length <= 1, `warned of ${warns} twice`);
    assert(new Set(faults).size === faults.length && (!outcomes || faults.length <= 1), `it warns of ${faults}`);
    if (faults.length > 0) return faults;
    if (isRemoved) return ["nothing"];
    const entries = this.#after.entries().filter(([path]) => !isSame(read(`${directory}/${path}`), this.#after, path));
    const isCompiled = from === "compiled" && from !== expectedFrom;
    assert(from === expectedFrom || isCompiled, `the module is ${from}, without a warning`);
    const isWarned = warnings.length === (warns ? 1 : 0);
    if (entries.length === 0) return isCompiled || !isWarned ? ["missing"] : ["nothing"];
    const isLeft = entries.every(([path]) => isSame(read(`${directory}/${path}`), this.#before, path));
    assert(isLeft && from !== "disk", `without a warning, there is no ${entries.map(([path]) => path)}`);
    return ["unwritten"];
  }

  #strictOutcomes({ error, module, warnings }: Run<M>): Outcome[] {
    const { isRight, warns } = this.#scenario;
    assert(warnings.length === 0, `it warns in strict mode: ${warnings}`);
    if (error === undefined) {
      assert(module !== undefined && isRight(module), "the module is wrong");
      return ["nothing", "missing", "unwritten"];
    }
    if (!(error instanceof CacheError)) throw new Error(`the lookup failed, not by a CacheError: ${error}`);
    return error.code === warns ? ["nothing"] : [outcomeOf(error)];
  }

  #checkDirectory({ directory, watch }: Run<M>, { isRemoved }: Expectation): void {
    const isStuck = (removal: string) => watch.failed.some(({ label }) => label === removal);
    // To the cache that is another process's tag.
    const isForeign = watch.failed.some(({ label, fault }) => label === "write tag" && fault === "EEXIST");
    const now = new Snapshot(directory);
    for (const [path, { bytes }] of now.files) {
      const role = roleOf(`/${path}`);
      assert(!role.startsWith("unknown"), `it left ${path}`);
      if (role === "temporary") {
        assert(isStuck("remove temporary") || this.#before.files.has(path), "it left a temporary file");
      }
      if (role === "tag") {
        const isWhole = isSame(bytes, this.#after, path);
        assert(isWhole || isForeign || isStuck("remove tag"), `it left a tag of ${bytes.length} bytes`);
      }
      if (role !== "entry") continue;
      assert(isSame(bytes, this.#before, path) || isSame(bytes, this.#after, path), `it damaged ${path}`);
    }
    const { maxDiskBytes = Infinity } = this.#scenario;
    const size = now.entries().reduce((sum, [, { bytes }]) => sum + bytes.length, 0);
    // What is said to be gone, or to be none of ours, is not counted.
    const isHidden = watch.failed.some(({ fault }) => ["ENOENT", "EACCES", "NotCapable"].includes(fault));
    assert(size <= maxDiskBytes || isHidden, `it left ${size} bytes of entries`);
    for (const [path, { modified }] of this.#before.entries()) {
      const mayGo = isRemoved || this.#scenario.maxDiskBytes && modified.getTime() < Date.now() - DAY_MS;
      assert(mayGo || now.files.has(path), `it removed ${path}`);
    }
    // To count them is quick; what they are is asked only where there are more.
    const count = descriptors();
    if (count > this.#descriptors) assertEquals(openBelow(directory), [], "it left files open");
    this.#descriptors = Math.max(this.#descriptors, count);
    checkLocks(`${directory}/v1/locks`);
  }

  /** A new cache works now, the same one too, and the entry is there. */
  async #checkNext({ directory, cache }: Run<M>): Promise<void> {
    const { code, engine, isRight, warns } = this.#scenario;
    const warnings: CacheWarning[] = [];
    const onWarning = (warning: CacheWarning) => warnings.push(warning);
    const next = this.#open(directory, { onWarning });
    assert(isRight(next.resolveSync(code).module), "a new cache gives a wrong module");
    await next.flush();
    assert(warnings.every(({ code }) => code === warns), `a new cache warns: ${warnings}`);
    const hit = this.#open(directory, { engine: hitsOnly(engine()), strict: true }).resolveSync(code);
    assert(hit.from === "disk" && isRight(hit.module), `a hit is ${hit.from}`);
    cache.clearMemory();
    const same = cache.resolveSync(code);
    assert(same.from === "disk" && isRight(same.module), `the same cache then gives a module ${same.from}`);
  }
}

/**
 * Codes that the cache nowhere tells apart take turns. All of them in a synchronous run that is not strict are enough: the
 * protocol is one. TEST_LONG=1 has them all in each.
 */
function inTurn(faults: readonly Fault[], at: number): readonly Fault[] {
  if (process.env.TEST_LONG) return faults;
  const alike = ["EACCES", "EROFS", "ENOSPC", "EMFILE", "EBUSY", "EIO"];
  return faults.filter((fault) => !alike.includes(fault) || fault === alike[at % alike.length]);
}

function outcomeOf({ code, cause }: CacheError): Outcome {
  return code === "IO" ? systemCode(cause) : `${code} ${systemCode(cause)}`;
}

function read(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function isSame(bytes: Uint8Array | undefined, { files }: Snapshot, path: string): boolean {
  const wanted = files.get(path)?.bytes;
  return bytes?.length === wanted?.length && (bytes?.every((byte, at) => byte === wanted![at]) ?? true);
}

const { tryLock } = detectPlatform().files!;

/** Takes every lock, and gives it back. */
function checkLocks(folder: string): void {
  if (!tryLock) return;
  for (const name of namesBelow(folder)) {
    const lock = runSync(perform(tryLock(`${folder}/${name}`)));
    assert(lock !== undefined, `the lock ${name} is still held`);
    lock.release();
  }
}

/** Runs an exploration of a scenario, and says how much it saw. */
function explore(
  name: string,
  scenario: Scenario<unknown>,
  body: (exploration: Exploration<unknown>) => Promise<unknown>,
): void {
  for (const isSync of [false, true]) {
    const way = isSync ? "sync" : "async";
    test(`${scenario.title} ${name}, ${way}`, { timeout: 120_000 }, () =>
      inMemory((base) =>
        withWatches(async () => {
          const exploration = new Exploration(scenario, { isSync, base });
          await exploration.start();
          await body(exploration);
          console.log(`${exploration.faults} faults: ${scenario.title} ${name}, ${way}`);
          const { wrong } = exploration;
          assert(wrong.length === 0, `${wrong.length} outcomes are wrong:\n${wrong.join("\n")}`);
        })
      ));
  }
}

for (const scenario of SCENARIOS as readonly Scenario<unknown>[]) {
  explore("survives every fault", scenario, async (exploration) => {
    await exploration.failOnce(false);
    await exploration.failOnce(true);
  });
  explore("survives the end of its disk", scenario, async (exploration) => {
    await exploration.failForGood();
    await exploration.removeAll();
  });
}

const [, cold] = SCENARIOS as readonly Scenario<unknown>[];

explore("survives a fault whose traces cannot be removed", cold!, async (exploration) => {
  // The stamp's and the entry's.
  assert(await exploration.failTwice() > 2, "no removal was seen");
});

/** This runtime's command, where the task says it. */
const command = process.env.TEST_RUNTIMES ? runtimes()[thisRuntime()] : undefined;
const isSuperuser = process.platform === "linux" && process.getuid!() === 0;

function skipUnless(can: unknown, reason: string): { timeout: number; skip: string | false } {
  return { timeout: 120_000, skip: can ? false : reason };
}

function canMount(): boolean {
  if (!isSuperuser) return false;
  return inTemporary((path) => {
    const isMounted = spawnSync("mount", ["-t", "tmpfs", "none", path]).status === 0;
    if (isMounted) spawnSync("umount", [path]);
    return isMounted;
  });
}

function inTemporary<T>(body: (path: string) => T): T {
  const path = mkdtempSync(join(tmpdir(), "wasm-module-cache-"));
  try {
    return body(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** An engine whose artifacts fill a disk soon. */
class LargeEngine extends TextEngine {
  override serialize(module: TextModule): Uint8Array {
    const large = new Uint8Array(100_000);
    large.set(bytes(module.text));
    return large;
  }

  override deserialize(artifact: Uint8Array): TextModule {
    return { text: text(artifact).replace(/\0+$/, "") };
  }
}

/** A module of so many bytes, that is told from others by a number. */
function largeModule(number: number, length: number): Uint8Array<ArrayBuffer> {
  const code = new Uint8Array(length);
  // A custom section with the empty name; its length takes three bytes.
  const rest = length - 12;
  code.set([...EMPTY_MODULE, 0, rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14, 0, number]);
  return code;
}

const mounts = skipUnless(canMount(), "needs a superuser who may mount");

interface Filling<M> {
  readonly engine: () => Engine<M>;
  readonly codes: readonly Uint8Array<ArrayBuffer>[];
  readonly isRight: (module: M, code: Uint8Array) => boolean;
}

const fillings: Record<string, Filling<never>> = {
  "artifacts": {
    engine: () => new LargeEngine(),
    codes: Array.from({ length: 20 }, (_, i) => bytes(`code ${i}`)),
    isRight: (module: TextModule, code) => module.text === text(code),
  } as Filling<TextModule> as unknown as Filling<never>,
  "the host engine's code": {
    engine: hostEngine,
    codes: Array.from({ length: 20 }, (_, i) => largeModule(i, 100_000)),
    isRight: (module: WebAssembly.Module, code) =>
      new Uint8Array(WebAssembly.Module.customSections(module, "")[0]!)[0] === code[13],
  } as Filling<WebAssembly.Module> as unknown as Filling<never>,
};

for (const [name, { engine, codes, isRight }] of Object.entries(fillings)) {
  for (const isSync of [false, true]) {
    test(
      `a disk that fills up with ${name} costs entries, not modules, ${isSync ? "sync" : "async"}`,
      mounts,
      () =>
        inDirectory(async (path) => {
          assertEquals(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", path]).status, 0);
          try {
            const directory = `${path}/cache`;
            const warnings: CacheWarning[] = [];
            const onWarning = (warning: CacheWarning) => warnings.push(warning);
            const cache = new ModuleCache({ engine: engine(), directory, onWarning });
            const resolve = async (cache: ModuleCache<never>, code: Uint8Array<ArrayBuffer>) => {
              const { module, from } = isSync ? cache.resolveSync(code) : await cache.resolve(code);
              assert(isRight(module, code), "the module is wrong");
              await cache.flush();
              return from;
            };
            for (const code of codes) assertEquals(await resolve(cache, code), "compiled");
            assertEquals(warnings.map(outcomeOf), ["ENOSPC"]);
            assertEquals(readdirSync(`${directory}/v1/tmp`), []);
            const stored = entriesIn(directory).length;
            assert(stored >= 5 && stored < 11, `${stored} entries are stored`);
            const strict = new ModuleCache({ engine: hitsOnly(engine()), directory, strict: true });
            for (const code of codes.slice(0, stored)) assertEquals(await resolve(strict, code), "disk");
            // Strict mode says why, and a full disk can still be emptied.
            const last = codes.at(-1)!;
            const refused = new ModuleCache({ engine: engine(), directory, strict: true });
            const error = await assertRejects(() => resolve(refused, last), CacheError);
            assertEquals(outcomeOf(error), "ENOSPC");
            for (const code of codes.slice(0, 2)) assertEquals(await cache.delete(code), true);
            cache.clearMemory();
            assertEquals(await resolve(cache, last), "compiled");
            assertEquals(await resolve(strict, last), "disk");
            assertEquals(warnings.length, 1);
          } finally {
            assertEquals(spawnSync("umount", [path]).status, 0);
          }
        }),
    );
  }
}

/** Has a process of its own look codes up, behind a command that takes something from it. */
async function look(before: readonly string[], job: Job): Promise<Report> {
  const args = [JSON.stringify(job)];
  const { code, stdout, stderr } = await runScript([...before, ...command!], `${ROOT}/tests/_faults_child.ts`, args);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

function limited(limit: string): string[] {
  return ["sh", "-c", `ulimit ${limit}; exec "$@"`, "sh"];
}

const NOBODY = 65534;
const asNobody = isSuperuser ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] : [];

/** Whether a user without rights may run this runtime and read this tree. */
function canBeNobody(): boolean {
  if (process.platform !== "linux" || !command) return false;
  const [program = "", ...more] = [...asNobody, "sh", "-c", `test -r "$1/mod.ts" && "$2" --version`, "sh", ROOT];
  return spawnSync(program, [...more, command[0]!]).status === 0;
}

const users = skipUnless(canBeNobody(), "needs Linux, the test task, and a runtime and tree that everybody may read");

test(
  "a directory without permission to write is read, and one warning given",
  users,
  () =>
    inDirectory(async (base) => {
      chmodSync(base, 0o755);
      const directory = `${base}/cache`;
      fill(directory, ["hello", "other"]);
      for (const path of ["", ...namesBelow(directory)]) {
        const isFolder = statSync(`${directory}/${path}`).isDirectory();
        if (isSuperuser) chownSync(`${directory}/${path}`, NOBODY, NOBODY);
        if (isFolder) chmodSync(`${directory}/${path}`, 0o500);
      }
      try {
        const before = new Snapshot(directory);
        const job: Job = { directory, engine: "artifact", names: ["hello", "new", "other", "newer"] };
        for (const isSync of [false, true]) {
          assertEquals(await look(asNobody, { ...job, isSync }), {
            from: ["disk", "compiled", "disk", "compiled"],
            wrong: [],
            warnings: ["IO EACCES"],
            disk: "read-only",
          });
          const { from } = await look(asNobody, { ...job, isSync, isStrict: true });
          assertEquals(from, ["disk", "IO", "disk", "IO"]);
        }
        const host = await look(asNobody, { ...job, engine: "host" });
        assertEquals([new Set(host.from), host.wrong, host.warnings], [new Set(["compiled"]), [], ["IO EACCES"]]);
        const after = new Snapshot(directory);
        assertEquals([[...after.files.keys()], after.entries()], [[...before.files.keys()], before.entries()]);
      } finally {
        for (const path of ["", ...namesBelow(directory)]) {
          if (statSync(`${directory}/${path}`).isDirectory()) chmodSync(`${directory}/${path}`, 0o700);
        }
      }
    }),
);

const isDeno = thisRuntime().startsWith("Deno");
const hasShell = process.platform === "linux" && command;

test(
  "a limit on the length of files costs the entries beyond it",
  skipUnless(hasShell && !isDeno, "needs Linux and the test task; Deno does not outlive SIGXFSZ, whoever writes"),
  () =>
    inDirectory(async (directory) => {
      for (const isSync of [false, true]) {
        const path = `${directory}/${isSync}`;
        const job: Job = { directory: path, engine: "artifact", names: ["a", "large b", "c", "large d"], isSync };
        // Blocks of 512 bytes.
        const report = await look(limited("-f 8"), { ...job, largeBytes: 100_000 });
        assertEquals(report, {
          from: ["compiled", "compiled", "compiled", "compiled"],
          wrong: [],
          warnings: ["IO EFBIG"],
          disk: "read-write",
        });
        assertEquals([entriesIn(path).length, readdirSync(`${path}/v1/tmp`)], [2, []]);
        assertEquals((await look([], job)).from, ["disk", "compiled", "disk", "compiled"]);
      }
    }),
);

for (const engine of ["artifact", "host"] as const) {
  test(
    `a burst of lookups needs few descriptors, ${engine} engine`,
    skipUnless(hasShell, "needs Linux and the test task"),
    () =>
      inDirectory(async (directory) => {
        const names = Array.from({ length: 300 }, (_, i) => `name ${i}`);
        const job: Job = { directory, engine, names, isBurst: true };
        const { from, wrong, warnings } = await look(limited("-n 100"), job);
        assertEquals([new Set(from), wrong, warnings], [new Set(["compiled"]), [], []]);
        assertEquals([entriesIn(directory).length, readdirSync(`${directory}/v1/tmp`)], [300, []]);
      }),
  );
}

for (const isSync of [false, true]) {
  test(`a directory that vanishes again and again costs entries, not modules, ${isSync ? "sync" : "async"}`, {
    timeout: 120_000,
  }, () =>
    inMemory(async (base) => {
      const directory = `${base}/cache`;
      let isVanishing = true;
      const vanish = () => {
        if (!isVanishing || !existsSync(directory)) return;
        // In one step: others write in it.
        renameSync(directory, `${base}/gone`);
        rmSync(`${base}/gone`, { recursive: true });
      };
      const plain = new TextEngine();
      const engine: Engine<TextModule> = {
        id: plain.id,
        compile: (code) => (vanish(), plain.compile(code)),
        serialize: (module) => (vanish(), plain.serialize(module)),
        deserialize: (artifact) => (vanish(), plain.deserialize(artifact)),
      };
      const warnings: CacheWarning[] = [];
      const options = { engine, directory, lockTimeoutMs: 500 };
      for (let round = 0; round < 20; round++) {
        const cache = new ModuleCache({ ...options, onWarning: (warning) => warnings.push(warning) });
        const names = Array.from({ length: 20 }, (_, i) => `name ${i % 10 + round % 3}`);
        const lookUp = async (name: string) => {
          const { module } = isSync ? cache.resolveSync(bytes(name)) : await cache.resolve(bytes(name));
          assertEquals(module.text, name);
          vanish();
        };
        await Promise.all(names.map(lookUp));
      }
      for (const { code } of warnings) assertEquals(code, "IO");
      assertEquals(openBelow(directory), []);
      isVanishing = false;
      const cache = new ModuleCache({ ...options, strict: true });
      for (const from of ["compiled", "disk"]) {
        assertEquals((isSync ? cache.resolveSync(bytes("last")) : await cache.resolve(bytes("last"))).from, from);
        cache.clearMemory();
      }
    }));
}
