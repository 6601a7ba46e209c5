// The optimizer step: what it makes loads and does the same, in a worker that nobody waits for longer than needed.
// With TEST_LONG=1 the largest module is optimized in earnest, which takes minutes.

import { assert, assertEquals, assertGreater, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { hostEngine, ModuleCache, prepared } from "@wasm/module-cache";
import { binaryenOptimizer, type BinaryenOptions, type BinaryenProgress } from "@wasm/module-cache/binaryen";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { FEATURES, neededFeatures } from "../../src/steps/features.ts";
import { optimize } from "../../src/steps/optimize.ts";
import { NoWorker, runInWorker } from "../../src/steps/optimize_run.ts";
import { startWorker } from "../../src/steps/worker.ts";
import {
  bytes,
  EMPTY_MODULE,
  hitsOnly,
  inDirectory,
  MODULES,
  realModule,
  ROOT,
  runScript,
  runtimes,
  thisRuntime,
} from "../_tools.ts";
import { query } from "../_sqlite.ts";
import { proposals, quietBinaryen } from "../_proposals.ts";

const LONG = process.env.TEST_LONG === "1";
const options = { timeout: LONG ? 1_800_000 : 300_000 };

/** The module of a step's output. */
async function optimized(code: Uint8Array<ArrayBuffer>, options: BinaryenOptions): Promise<WebAssembly.Module> {
  return await prepared(hostEngine(), binaryenOptimizer(options)).compile(code);
}

// It takes as long as the other tests together, and is the same everywhere: in the short form once, on Deno. Begun first.
const isHere = LONG || thisRuntime().startsWith("Deno");
const esbuild = isHere ? optimized(realModule("esbuild"), { optimizeLevel: LONG ? 2 : 0 }) : undefined;
esbuild?.catch(() => {});

/** The other large one, on the other engine. */
const isSqliteHere = LONG || thisRuntime().startsWith("Bun");

/** Checks that a module has the imports and the exports of its origin. */
function assertSameSurface(module: WebAssembly.Module, origin: Uint8Array<ArrayBuffer>): void {
  const before = new WebAssembly.Module(origin);
  assertEquals(WebAssembly.Module.exports(module), WebAssembly.Module.exports(before));
  // A memory comes first in the output, which no user of a module can tell.
  const names = (module: WebAssembly.Module) =>
    WebAssembly.Module.imports(module).map((entry) => Object.values(entry).join(" ")).sort();
  assertEquals(names(module), names(before));
}

test(
  "sqlite optimized is found again without the optimizer, and answers the same",
  { ...options, skip: isSqliteHere ? false : "takes seconds: tried on Bun, set TEST_LONG=1" },
  () =>
    inDirectory(async (directory) => {
      const make = () => prepared(hostEngine(), binaryenOptimizer({ optimizeLevel: 1 }));
      const code = realModule("sqlite");
      const cold = new ModuleCache({ engine: make(), directory, strict: true });
      assertThrows(() => cold.resolveSync(code), TypeError, "Cannot prepare synchronously");
      const compiled = await cold.resolve(code);
      await cold.flush();
      const warm = new ModuleCache({ engine: hitsOnly(make()), directory, strict: true });
      const found = warm.resolveSync(code);
      warm.clearMemory();
      assertEquals([compiled.from, found.from, (await warm.resolve(code)).from], ["compiled", "disk", "disk"]);
      const sql =
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select sum(i * i) from n";
      for (const { module } of [compiled, found]) {
        assertSameSurface(module, code);
        assertStrictEquals(query(module, sql), 338_350);
      }
    }),
);

test("a Rust module optimized has the same surface", options, async () => {
  const module = await optimized(realModule("oxipng"), { optimizeLevel: 1, shrinkLevel: 1 });
  assertSameSurface(module, realModule("oxipng"));
});

test("a Rust module with shared memory has the same surface", options, async () => {
  const code = realModule("oxipngThreads");
  assertSameSurface(await optimized(code, { optimizeLevel: 0 }), code);
});

test("the features that a module needs are found, and no others", options, async () => {
  const binaryen = await quietBinaryen();
  for (const [needed, code] of proposals(binaryen)) {
    const module = binaryen.readBinary(code, binaryen.Features.All);
    const found = neededFeatures(module, binaryen.Features, 0)!;
    assertEquals(FEATURES.filter((name) => found & binaryen.Features[name]), needed.split(" ").filter(Boolean));
    module.dispose();
  }
});

test("an optimized module is taken wherever its origin is", options, async () => {
  let tried = 0;
  for (const [needed, code] of proposals(await quietBinaryen())) {
    // Not every runtime has every proposal.
    if (!WebAssembly.validate(code)) continue;
    tried++;
    const job = { code, optimizeLevel: 2, shrinkLevel: 1, features: [] };
    assert(WebAssembly.validate(await optimize(job, () => {})), needed);
  }
  assertGreater(tried, 8);
});

test("an output that the runtime refuses is an error", options, async () => {
  const [, code] = proposals(await quietBinaryen()).at(-1)!;
  const step = binaryenOptimizer({ features: ["CompactImports"] });
  await assertRejects(async () => await step.prepare(code), Error, "this runtime refuses");
});

test("the optimizer knows the features of its library", async () => {
  const { default: binaryen } = await import("binaryen");
  const names = Object.entries(binaryen.Features).filter(([name, bit]) => name !== "All" && bit !== 0);
  assertEquals(names.map(([name]) => name).sort(), [...FEATURES]);
});

test("the optimizer's id names the version that it loads, levels and features", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules/binaryen/package.json"), "utf8"));
  assertStrictEquals(binaryenOptimizer().id, `binaryen@${version} -O2 -s0`);
  const features = ["SignExt", "BulkMemory", "SignExt"] as const;
  const options = { optimizeLevel: 0, shrinkLevel: 2, features, onProgress: () => {} };
  assertStrictEquals(binaryenOptimizer(options).id, `binaryen@${version} -O0 -s2 +BulkMemory +SignExt`);
});

test("the event loop goes on, and hears of each phase, while a worker optimizes", options, async () => {
  const phases: BinaryenProgress[] = [];
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const step = binaryenOptimizer({ optimizeLevel: 0, onProgress: (progress) => phases.push(progress) });
  await step.prepare(realModule("oxipng"));
  clearInterval(timer);
  assertGreater(ticks, 20);
  assertEquals(phases.map(({ phase }) => phase), ["load", "read", "features", "optimize", "write"]);
  const times = phases.map(({ elapsedMs }) => elapsedMs);
  assertEquals(times, times.toSorted((a, b) => a - b));
});

test("what onProgress throws is what prepare throws", options, async () => {
  const onProgress = () => {
    throw new RangeError("stop");
  };
  await assertRejects(async () => await binaryenOptimizer({ onProgress }).prepare(EMPTY_MODULE), RangeError, "stop");
  const step = binaryenOptimizer({ onProgress: () => Promise.reject(new RangeError("stop")) });
  await assertRejects(async () => await step.prepare(EMPTY_MODULE), RangeError, "stop");
});

test("no more than two runs are at work at once, and all give the same", options, async () => {
  let [running, most] = [0, 0];
  const onProgress = ({ phase }: BinaryenProgress) => {
    if (phase === "load") most = Math.max(most, ++running);
    if (phase === "write") running--;
  };
  const step = binaryenOptimizer({ optimizeLevel: 0, onProgress });
  const outputs = await Promise.all(Array.from({ length: 4 }, () => step.prepare(EMPTY_MODULE)));
  for (const output of outputs) assertEquals(output, outputs[0]);
  assertEquals([running, most <= 2], [0, true]);
});

test("a process ends by itself when its module is optimized, and terminates no worker", options, async () => {
  const path = join(ROOT, "node_modules", MODULES.oxipng);
  const command = runtimes()[thisRuntime()]!;
  const { code, stdout, stderr } = await runScript(command, join(ROOT, "tests/_optimize.ts"), [path]);
  assertEquals([code, stdout.trim()], [0, "true 0"], stderr);
});

test(
  "a worker starts where Deno may read no more than the folder of its file",
  { ...options, skip: thisRuntime().startsWith("Deno") ? false : "only Deno has such permissions" },
  async () => {
    const allowed = ["run", "--no-prompt", "--no-lock", "--config", join(ROOT, "deno.offline.json")];
    const read = `--allow-read=${[join(ROOT, "src/steps"), join(ROOT, "node_modules")].join()}`;
    const path = join(ROOT, "node_modules", MODULES.oxipng);
    const { stdout, stderr } = await runScript([process.execPath, ...allowed, read], join(ROOT, "tests/_optimize.ts"), [
      path,
    ]);
    assertEquals([stdout.trim(), stderr.includes("Cannot start")], ["true 0", false], stderr);
  },
);

test("a worker that does not get ready is given up", options, async () => {
  const job = { code: EMPTY_MODULE.slice(), optimizeLevel: 0, shrinkLevel: 0, features: [] };
  const url = new URL("../_silent_worker.ts", import.meta.url);
  await assertRejects(() => runInWorker(job, url, () => {}, 300), NoWorker, "no answer in 300 ms");
});

test("what load gives is used, and refused where it is another library", options, async () => {
  const job = { code: EMPTY_MODULE, optimizeLevel: 0, shrinkLevel: 0, features: [] };
  let loaded = 0;
  const load = () => (loaded++, import("binaryen"));
  assert(WebAssembly.validate(await optimize(job, () => {}, load)));
  assertEquals(loaded, 1);
  await assertRejects(() => optimize(job, () => {}, () => import("wabt")), Error, "is not binaryen@");
});

test("code that is no module is a CompileError and is not cached", options, () =>
  inDirectory(async (directory) => {
    const cache = new ModuleCache({ engine: prepared(hostEngine(), binaryenOptimizer()), directory, strict: true });
    for (const bad of [bytes("junk"), realModule("oxipng").slice(0, 1000)]) {
      await assertRejects(() => cache.resolve(bad), WebAssembly.CompileError);
    }
    assertEquals((await cache.resolve(EMPTY_MODULE)).from, "compiled");
  }));

test("a module that only Binaryen refuses is an Error that says why", options, async () => {
  const section = [0, 19, 15, ...bytes("target_features"), 1, 0, 0];
  const code = Uint8Array.of(...EMPTY_MODULE, ...section);
  assert(WebAssembly.validate(code));
  await assertRejects(async () => await binaryenOptimizer().prepare(code), Error, "Cannot optimize code: ");
});

test("a worker that fails, or whose file is not there, is told", options, async () => {
  for (const file of ["../_broken_worker.ts", "../_no_such_worker.ts"]) {
    const { promise, resolve } = Promise.withResolvers<Error>();
    const worker = await startWorker(new URL(file, import.meta.url), { message: () => {}, failed: resolve });
    assert(await promise instanceof Error);
    worker.end();
  }
});

test(
  "a worker that the caller names does the work, and where it is not there its failure is told",
  options,
  async () => {
    const worker = new URL("../_binaryen_worker.ts", import.meta.url);
    const expected = await binaryenOptimizer({ optimizeLevel: 0 }).prepare(EMPTY_MODULE);
    for (const url of [worker, worker.href]) {
      const named = binaryenOptimizer({ optimizeLevel: 0, worker: thisRuntime().startsWith("Node") ? worker : url });
      assertEquals(await named.prepare(EMPTY_MODULE), expected);
    }
    for (const file of ["../_broken_worker.ts", "../_no_such_worker.ts"]) {
      const broken = binaryenOptimizer({ worker: new URL(file, import.meta.url) });
      await assertRejects(async () => await broken.prepare(EMPTY_MODULE), Error, "Cannot start Binaryen's worker");
    }
  },
);

test("the optimizer refuses options that are none", () => {
  const wrong = (given: Record<string, unknown>) => () => binaryenOptimizer(given as BinaryenOptions);
  for (const level of ["2", null]) assertThrows(wrong({ optimizeLevel: level }), TypeError);
  for (const level of [-1, 5, 1.5, NaN]) assertThrows(wrong({ optimizeLevel: level }), RangeError);
  assertThrows(wrong({ shrinkLevel: 3 }), RangeError);
  assertThrows(wrong({ features: "GC" }), TypeError);
  assertThrows(wrong({ features: ["Gc"] }), RangeError);
  assertThrows(wrong({ onProgress: 1 }), TypeError);
  assertThrows(wrong({ worker: 1 }), TypeError);
  assertThrows(wrong({ load: "binaryen" }), TypeError);
});

test("a Go module optimized has the same surface", { ...options, skip: !isHere }, async () => {
  assertSameSurface((await esbuild)!, realModule("esbuild"));
});
