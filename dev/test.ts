// Passes all tests on Deno, Bun and Node, compares their counts, puts processes of all under load, and ends with the sum.
// `task test --quick` leaves the load away, which takes two minutes.

import { longRun } from "./long_run.ts";
import { stress } from "./stress.ts";
import { chooseConfig, findRuntimes, installTestPackages, run, type Runtime } from "./tools.ts";

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** Runs the tests everywhere, two runtimes at a time; gives the sum. */
async function testAll(runtimes: readonly Runtime[], config: string): Promise<Tally> {
  const env = {
    TEST_RUNTIMES: JSON.stringify(Object.fromEntries(runtimes.map(({ name, command }) => [name, command]))),
  };
  const sum: Tally = { passed: 0, failed: 0, skipped: 0 };
  const counts = new Set<number>();
  const left = inTurn(runtimes);
  const testLeft = async () => {
    for (let runtime; (runtime = left.shift()) !== undefined;) {
      const { code, output } = await run(testCommand(runtime, config), { env, capture: true });
      const tally = tallyOf(output);
      const heading = `\n== ${summaryOf(runtime, tally)}`;
      console.log(code === 0 ? heading : `${heading}\n${output}`);
      counts.add(tally.passed + tally.failed + tally.skipped);
      sum.passed += tally.passed;
      sum.skipped += tally.skipped;
      // A run that fails without a failed test did not get to its end.
      sum.failed += code !== 0 ? Math.max(1, tally.failed) : tally.failed;
    }
  };
  await Promise.all([testLeft(), testLeft()]);
  if (counts.size > 1) {
    console.log(`The runtimes ran different numbers of tests: ${[...counts].join(", ")}`);
    sum.failed++;
  }
  return sum;
}

/** Node 22 and 24 wait for processes of low priority: the two at once would wait for each other's. */
function inTurn(runtimes: readonly Runtime[]): Runtime[] {
  const turns = ["Node 22", "Bun", "Deno", "Node 24"];
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

function testCommand({ name, command }: Runtime, config: string): string[] {
  const [program = ""] = command;
  if (name.startsWith("Deno")) {
    const options = ["--config", config, "--no-lock", "--preload", "tests/_guard.ts"];
    return [program, "test", "-A", ...options, "tests/"];
  }
  return name.startsWith("Bun")
    ? [program, "test", "./tests"]
    : [program, "--test", "--test-reporter=tap", "tests/**/*_test.ts"];
}

function summaryOf({ name }: Runtime, tally: Tally): string {
  return `${name}: ${closingLine(tally)}`;
}

/** Reads the counts that each runner prints at its end; zero where it printed none. */
function tallyOf(output: string): Tally {
  // deno-lint-ignore no-control-regex -- colours of the runners
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const last = (pattern: RegExp) => Number([...plain.matchAll(pattern)].at(-1)?.[1] ?? 0);
  return {
    passed: last(/(\d+) passed/g) || last(/^# pass (\d+)/gm) || last(/^\s*(\d+) pass$/gm),
    failed: last(/(\d+) failed/g) || last(/^# fail (\d+)/gm) || last(/^\s*(\d+) fail$/gm),
    skipped: last(/(\d+) ignored/g) || last(/^# skipped (\d+)/gm) || last(/^\s*(\d+) skip$/gm),
  };
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
const runtimes = await findRuntimes(config);
const sum = await testAll(runtimes, config);
if (!Deno.args.includes("--quick")) await load(runtimes, sum);
console.log(`\nAll runtimes:\n${closingLine(sum)}`);
Deno.exit(sum.failed > 0 || sum.passed === 0 ? 1 : 0);
