// How each runtime runs the tests, and how what its runner prints is read: the counts, the failures and nothing else, and
// their names.

import { ROOT, type Runtime } from "../tools.ts";

/** Numbers of tests. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** A runtime's own runner. */
interface Runner {
  /** Arguments behind the program. */
  readonly args: (config: string) => string[];
  /** Cuts away what passed. */
  readonly failuresIn: (output: string) => string;
  /** Finds the names of what failed. */
  readonly failed: RegExp;
  /** Each finds a count. */
  readonly counts: Record<keyof Tally, RegExp>;
}

const RUNNERS: Record<string, Runner> = {
  Deno: {
    args: (config) => {
      const options = ["--config", config, "--no-lock", "--preload", "tests/_guard.ts"];
      return ["test", "-A", ...options, "tests/"];
    },
    failuresIn: (output) => /^ ERRORS\s[\s\S]*/m.exec(output)?.[0] ?? output,
    failed: /^(.* => \.\/tests\/.*)$/gm,
    counts: { passed: /(\d+) passed/g, failed: /(\d+) failed/g, skipped: /(\d+) ignored/g },
  },
  Bun: {
    args: () => ["test", "--only-failures", "./tests"],
    failuresIn: (output) => output,
    failed: /^\(fail\) (.*)$/gm,
    counts: { passed: /^\s*(\d+) pass$/gm, failed: /^\s*(\d+) fail$/gm, skipped: /^\s*(\d+) skip$/gm },
  },
  Node: {
    args: () => ["--test", `--test-reporter=${ROOT}/dev/test/node_reporter.ts`, "tests/**/*_test.ts"],
    failuresIn: (output) => output,
    failed: /^FAILED (.*)$/gm,
    counts: { passed: /^# pass (\d+)/gm, failed: /^# fail (\d+)/gm, skipped: /^# skipped (\d+)/gm },
  },
};

function runnerOf({ name }: Runtime): Runner {
  return RUNNERS[name.split(" ")[0]!]!;
}

/** The command that runs all tests. */
export function testCommand(runtime: Runtime, config: string): string[] {
  return [runtime.command[0]!, ...runnerOf(runtime).args(config)];
}

/** What came of a run. */
export interface Outcome {
  readonly tally: Tally;
  /** What the failures printed. */
  readonly failures: string;
  /** Their names. */
  readonly failed: readonly string[];
}

/** Reads what a runner printed; zero counts where it printed none. */
export function outcomeOf(runtime: Runtime, output: string): Outcome {
  // deno-lint-ignore no-control-regex -- colours of the runners
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const { counts, failuresIn, failed } = runnerOf(runtime);
  const last = (pattern: RegExp) => Number([...plain.matchAll(pattern)].at(-1)?.[1] ?? 0);
  return {
    tally: { passed: last(counts.passed), failed: last(counts.failed), skipped: last(counts.skipped) },
    failures: failuresIn(plain),
    failed: [...new Set([...plain.matchAll(failed)].map(([, name]) => name!.replace(/ \[[\d.]+m?s\]$/, "")))],
  };
}
