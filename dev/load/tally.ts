// Counts rounds that passed and failed, and tells of what failed.

/** What a test comes to. */
export interface Tally {
  /** Rounds without a fault. */
  passed: number;
  /** Rounds with one. */
  failed: number;
}

/** Most faults that are printed of a round: one cause has many. */
const MAX_FAULTS = 5;

/** Counts a round; prints its faults. */
export function count(tally: Tally, name: string, faults: readonly string[]): void {
  if (faults.length === 0) {
    tally.passed++;
    return;
  }
  tally.failed++;
  console.log(`FAILED  ${name}`);
  for (const fault of faults.slice(0, MAX_FAULTS)) console.log(`  ${fault}`);
  if (faults.length > MAX_FAULTS) console.log(`  and ${faults.length - MAX_FAULTS} more`);
}

/** The number in the middle; of none, `NaN`. */
export function medianOf(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? NaN;
}

/** The runtimes whose names begin with one of these. */
export function those<T extends { readonly name: string }>(runtimes: readonly T[], ...names: string[]): T[] {
  return runtimes.filter((runtime) => names.some((name) => runtime.name.startsWith(name)));
}

/** Reads arguments as `--rounds=20`; those not given stay as they are. */
export function numbersIn<K extends string, D extends number | undefined>(
  args: readonly string[],
  defaults: Record<K, D>,
): Record<K, number | D> {
  const numbers: Record<K, number | D> = { ...defaults };
  for (const arg of args) {
    const [, name, value] = /^--(\w+)=(\d+(?:\.\d+)?)$/.exec(arg) ?? [];
    if (name === undefined || !(name in defaults)) {
      throw new TypeError(`Cannot use ${arg}: not one of ${Object.keys(defaults)}`);
    }
    numbers[name as K] = Number(value);
  }
  return numbers;
}
