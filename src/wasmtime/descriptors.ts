// What `new Memory`, `new Table` and `new Global` are given, checked as WebIDL and the standard say.

import { describe } from "../bytes.ts";

/** Limits, as descriptors have them. */
export interface LimitsDescriptor {
  /** Size at first. */
  readonly initial: number;
  /** Most; absent if there is no limit. */
  readonly maximum?: number;
}

/**
 * Checks limits.
 *
 * @param most Most that an implementation may allow.
 * @throws {TypeError} When a number is missing or invalid.
 * @throws {RangeError} When it is too large, or the maximum less than what there is at first.
 */
export function limitsOf(what: string, descriptor: unknown, most: number): LimitsDescriptor {
  const given = objectOf(what, descriptor) as Partial<Record<"initial" | "maximum" | "minimum", unknown>>;
  if (given.initial === undefined) throw new TypeError(`Cannot make ${what}: its descriptor has no initial`);
  const initial = unsignedLong(`initial of ${what}`, given.initial);
  const maximum = given.maximum === undefined ? undefined : unsignedLong(`maximum of ${what}`, given.maximum);
  if (initial > most) throw new RangeError(`Cannot make ${what}: ${initial} at first is more than ${most}`);
  if (maximum !== undefined && maximum < initial) {
    throw new RangeError(`Cannot make ${what}: its maximum is less than its initial`);
  }
  return { initial, ...(maximum === undefined ? {} : { maximum }) };
}

/**
 * Checks that a descriptor is an object.
 *
 * @throws {TypeError} When it is not.
 */
export function objectOf(what: string, descriptor: unknown): object {
  if ((typeof descriptor === "object" && descriptor !== null) || typeof descriptor === "function") return descriptor;
  throw new TypeError(`Cannot make ${what}: its descriptor must be an object, not ${describe(descriptor)}`);
}

/**
 * Converts as WebIDL's `[EnforceRange] unsigned long`.
 *
 * @throws {TypeError} When it is no number within 32 bits.
 */
export function unsignedLong(what: string, value: unknown): number {
  const number = Math.trunc(Number(value));
  if (!(number >= 0 && number <= 0xffff_ffff)) throw new TypeError(`Cannot use ${what}: ${describe(value)}`);
  return number + 0;
}
