// Passes all tests on Deno, Bun and Node, compares their counts, puts processes of all under load, and ends with the sum.
// `task test --quick` leaves the load away, which takes two minutes.

import { longRun } from "./long_run.ts";
import { stress } from "./stress.ts";
import { outcomeOf, type Tally, testCommand } from "./test/runners.ts";
import { unpackWheel, wheelHere } from "./wasmtime_wheels.ts";
import { chooseConfig, findRuntimes, installTestPackages, run, type Runtime } from "./tools.ts";

/** Runs the tests everywhere, two runtimes at a time; gives the sum. */
async function testAll(runtimes: readonly Runtime[], config: string): Promise<{ sum: Tally; failed: string[] }> {
  const env = {
    NO_COLOR: "1",
    TEST_RUNTIMES: JSON.stringify(Object.fromEntries(runtimes.map(({ name, command }) => [name, command]))),
  };
  const sum: Tally = { passed: 0, failed: 0, skipped: 0 };
  const failed: string[] = [];
  const counts = new Set<number>();
  const left = inTurn(runtimes);
  const testLeft = async () => {
    for (let runtime; (runtime = left.shift()) !== undefined;) {
      const { name } = runtime;
      const { code, output } = await run(testCommand(runtime, config), { env, capture: true });
      const { tally, ...outcome } = outcomeOf(runtime, output);
      const heading = `\n== ${name}: ${closingLine(tally)}`;
      console.log(code === 0 ? heading : `${heading}\n${outcome.failures}`);
      counts.add(tally.passed + tally.failed + tally.skipped);
      sum.passed += tally.passed;
      sum.skipped += tally.skipped;
      if (code === 0) continue;
      // A run that fails without a failed test did not get to its end.
      sum.failed += Math.max(1, tally.failed);
      const names = outcome.failed.length > 0 ? outcome.failed : [`it ended with code ${code}`];
      failed.push(...names.map((each) => `${name}: ${each}`));
    }
  };
  await Promise.all([testLeft(), testLeft()]);
  if (counts.size > 1) {
    failed.push(`The runtimes ran different numbers of tests: ${[...counts].join(", ")}`);
    sum.failed++;
  }
  return { sum, failed };
}

/**
 * What takes longest first. Node 22 and 24 wait for processes of low priority: the two at once would wait for each
 * other's.
 */
function inTurn(runtimes: readonly Runtime[]): Runtime[] {
  const turns = ["Node 24", "Deno", "Bun", "Node 26", "Node 22"];
  const turnOf = ({ name }: Runtime) => {
    const turn = turns.findIndex((start) => name.startsWith(start));
    return turn < 0 ? turns.length : turn;
  };
  return [...runtimes].sort((a, b) => turnOf(a) - turnOf(b));
}

/** The closing line. */
function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Gets Wasmtime's library, which the tests that need it find; without it they are skipped, and say so. */
function installWasmtime(): void {
  try {
    const wheel = wheelHere();
    if (wheel) unpackWheel(wheel);
  } catch (error) {
    console.log(`No library of Wasmtime for the tests: ${(error as Error).message}`);
  }
}

/** Puts processes of all runtimes under load, in the short form; adds to the sum. */
async function load(runtimes: readonly Runtime[], sum: Tally): Promise<void> {
  console.log("\n== Load");
  for (const run of [() => stress({ rounds: 10, runtimes }), () => longRun({ minutes: 1, runtimes })]) {
    const { passed, failed } = await run();
    sum.passed += passed;
    sum.failed += failed;
  }
}

const config = await chooseConfig();
await installTestPackages();
installWasmtime();
const runtimes = await findRuntimes(config);
const { sum, failed } = await testAll(runtimes, config);
if (!Deno.args.includes("--quick")) await load(runtimes, sum);
// Once more, where a log that was cut still has them.
for (const name of failed) console.log(`FAILED ${name}`);
console.log(`\nAll runtimes:\n${closingLine(sum)}`);
Deno.exit(sum.failed > 0 || sum.passed === 0 ? 1 : 0);
