/**
 * Stand-in for `@std/assert` where the JSR registry does not answer: the functions that this tree uses, with the names,
 * types and behaviour of the real ones. Not published.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";

/** Error of a failed assertion. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

type ErrorClass<E extends Error> = abstract new (...given: never[]) => E;

/** Fails unless the value is truthy. */
export function assert(actual: unknown, message = "Expected a truthy value"): asserts actual {
  if (!actual) throw new AssertionError(message);
}

/** Fails unless the values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  if (!isDeepStrictEqual(actual, expected)) fail("Values are not equal", actual, expected, message);
}

/** Fails if the values are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  if (isDeepStrictEqual(actual, expected)) fail("Values are equal", actual, expected, message);
}

/** Fails unless the values are the same by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T {
  if (!Object.is(actual, expected)) fail("Values are not the same", actual, expected, message);
}

/** Fails unless `low` is above `high`. */
export function assertGreater<T>(actual: T, expected: T, message?: string): void {
  if (!(actual > expected)) fail("Value is not greater", actual, expected, message);
}

/** Fails unless the text matches. */
export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  if (!expected.test(actual)) fail("Text does not match", actual, expected, message);
}

/** Fails unless the value is of the class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expected: abstract new (...given: never[]) => T,
  message?: string,
): asserts actual is T {
  if (!(actual instanceof expected)) fail(`Value is not of class ${expected.name}`, actual, expected, message);
}

/** Fails unless the function throws an error of the class; gives the error. */
export function assertThrows<E extends Error = Error>(
  body: () => unknown,
  errorClass?: ErrorClass<E>,
  includes?: string,
  message?: string,
): E {
  try {
    body();
  } catch (error) {
    return checked(error, errorClass, includes, message);
  }
  throw new AssertionError(message ?? "Expected function to throw");
}

/** Fails unless the promise rejects with an error of the class; gives the error. */
export async function assertRejects<E extends Error = Error>(
  body: () => PromiseLike<unknown>,
  errorClass?: ErrorClass<E>,
  includes?: string,
  message?: string,
): Promise<E> {
  let given;
  try {
    given = body();
  } catch {
    throw new AssertionError(message ?? "Expected function to reject, but it threw");
  }
  try {
    await given;
  } catch (error) {
    return checked(error, errorClass, includes, message);
  }
  throw new AssertionError(message ?? "Expected function to reject");
}

function checked<E extends Error>(
  error: unknown,
  errorClass: ErrorClass<E> | undefined,
  includes = "",
  message?: string,
): E {
  if (!(error instanceof Error)) throw new AssertionError(message ?? `Expected an Error, not ${String(error)}`);
  if (errorClass) assertInstanceOf(error, errorClass, message ?? `${error.name}: ${error.message}`);
  if (!error.message.includes(includes)) fail("Message does not include", error.message, includes, message);
  return error as E;
}

function fail(what: string, actual: unknown, expected: unknown, message = ""): never {
  throw new AssertionError(`${what}: ${message}\n    actual: ${show(actual)}\n  expected: ${show(expected)}`);
}

function show(value: unknown): string {
  if (typeof value !== "object" || value === null || value instanceof RegExp) return String(value);
  try {
    return JSON.stringify(value)?.slice(0, 400) ?? String(value);
  } catch {
    return String(value);
  }
}
