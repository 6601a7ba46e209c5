// What entries of the V8 engine hold: V8's artifact, where one byte tells how good it is. Pure.
//
// V8 begins with a magic number, whose last byte (offset 3) is always C0: there the entry has the grade. Bytes 12 to 15
// are the hash of V8's flags. The last 4·n bytes are what is left of the tiering budgets of the module's n functions.

import type { Bytes } from "../engine/calls.ts";

/** How much of a module is optimized: what one run happened to, all that one run executed, everything. */
export const GRADES = { snapshot: 1, profile: 2, full: 3 } as const;

/** One of {@linkcode GRADES}. */
export type Grade = keyof typeof GRADES;

const GRADE_AT = 3;
const MAGIC_BYTE = 0xc0;
const [FLAG_HASH_FROM, FLAG_HASH_TO] = [12, 16];

/**
 * Makes V8's artifact an entry's, in place.
 *
 * @throws {RangeError} When it is no artifact of V8: its format is not the one known here.
 */
export function graded(artifact: Bytes, grade: Grade): Bytes {
  if (artifact[GRADE_AT] !== MAGIC_BYTE) throw new RangeError("Cannot keep artifact of V8: its format is unknown");
  artifact[GRADE_AT] = GRADES[grade];
  return artifact;
}

/** Tells whether an entry's artifact is of that grade or better. */
export function isAtLeast(artifact: Uint8Array, grade: Grade): boolean {
  const actual = artifact[GRADE_AT] ?? 0;
  return actual >= GRADES[grade] && actual <= GRADES.full;
}

/** Makes an entry's artifact V8's again, in place. */
export function ungraded(artifact: Bytes): Bytes {
  artifact[GRADE_AT] = MAGIC_BYTE;
  return artifact;
}

/** Gives an artifact the flags of another, in place: one made under other flags loads where that one does. */
export function withFlagsOf(artifact: Bytes, other: Uint8Array): Bytes {
  artifact.set(other.subarray(FLAG_HASH_FROM, FLAG_HASH_TO), FLAG_HASH_FROM);
  return artifact;
}

/**
 * Makes of an artifact a profile for V8: no feedback, and for each function whether it was executed.
 *
 * @param functions How many functions the module defines.
 * @returns The profile, or `undefined` where nothing was executed.
 */
export function profileOf(artifact: Bytes, functions: number): Bytes | undefined {
  const from = artifact.length - 4 * functions;
  if (functions === 0 || from < 0) return undefined;
  const budgets = new Int32Array(artifact.slice(from).buffer);
  // What was not executed has all of its budget left; a hot function may have got it anew, and is optimized already.
  const whole = budgets.reduce((most, budget) => Math.max(most, budget));
  const profile = new Uint8Array(functions + 1);
  budgets.forEach((budget, i) => profile[i + 1] = budget === whole ? 0 : TIERED_UP);
  return profile.includes(TIERED_UP) ? profile : undefined;
}

/** A profile that names all functions of a module. */
export function wholeProfile(functions: number): Bytes {
  return new Uint8Array(functions + 1).fill(TIERED_UP, 1);
}

/** V8 optimizes functions marked with this bit, and does not compile them by its fast compiler first. */
const TIERED_UP = 2;
