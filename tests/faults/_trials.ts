// Faults: one lookup among faults: runs it, and checks what every lookup promises, whatever failed. Knows neither which
// faults there are nor what each may come to.

import { assert, assertEquals } from "@std/assert";
import {
  CacheError,
  type CacheWarning,
  ModuleCache,
  type ModuleCacheOptions,
  type Provenance,
} from "@wasm/module-cache";
import { perform, runSync } from "../../src/effect.ts";
import { detectPlatform } from "../../src/platform/detect.ts";
import { hitsOnly } from "../_tools.ts";
import { type Outcome, outcomeOf } from "./_outcomes.ts";
import { DAY_MS, type Scenario } from "./_scenarios.ts";
import { isSame, namesBelow, read, Snapshot } from "./_snapshot.ts";
import { type Call, type Choose, descriptors, type Fault, openBelow, roleOf, Watch } from "./_watch.ts";

/** One lookup among faults. */
export interface Run<M> {
  readonly directory: string;
  readonly cache: ModuleCache<M>;
  readonly warnings: CacheWarning[];
  readonly watch: Watch;
  readonly module?: M;
  readonly from?: Provenance;
  readonly error?: unknown;
}

/** What a run may come to. */
export interface Expectation {
  /** Anything with the right module, where absent. */
  readonly outcomes?: readonly Outcome[];
  /** It warns of nothing, and fails instead. */
  readonly isStrict?: boolean;
  /** All of the directory was removed meanwhile. */
  readonly isRemoved?: boolean;
}

/** Lookups of one scenario, each in a directory of its own that is as before. */
export class Trials<M> {
  readonly #scenario: Scenario<M>;
  readonly #isSync: boolean;
  readonly #base: string;
  #before!: Snapshot;
  /** After a lookup without faults. */
  #after!: Snapshot;
  #runs = 0;
  #descriptors = 0;

  constructor(scenario: Scenario<M>, { isSync, base }: { isSync: boolean; base: string }) {
    this.#scenario = scenario;
    this.#isSync = isSync;
    this.#base = base;
  }

  /** Prepares the directory, and looks up without a fault; gives the calls. */
  async start(): Promise<readonly Call[]> {
    const directory = `${this.#base}/before`;
    await this.#scenario.prepare?.(directory);
    this.#before = new Snapshot(directory);
    const clean = await this.run();
    this.#after = new Snapshot(clean.directory);
    await this.check("", clean, { outcomes: ["nothing"] });
    return clean.watch.calls;
  }

  /** Looks up among faults. */
  async run(
    choose: (...given: [...Parameters<Choose>, string]) => Fault | undefined = () => undefined,
    isStrict = false,
  ): Promise<Run<M>> {
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

  /** Throws where a lookup came to what it must not. */
  async check(fault: string, run: Run<M>, expectation: Expectation): Promise<void> {
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
