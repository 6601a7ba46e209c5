// As much of the web platform's test harness as the tests of WebAssembly's JavaScript API use. Imports nothing.

// deno-lint-ignore-file camelcase -- the harness's own names

/** What came of a test: no message if it passed. */
export interface Outcome {
  /** Its name. */
  readonly name: string;
  /** Why it failed. */
  readonly message?: string;
}

type Step = () => unknown;
type Body = (test: Test) => unknown;
type ErrorClass = new (...given: never[]) => Error;

/** What a test gets. */
interface Test {
  unreached_func(message: string): () => never;
  step_func<T>(step: T): T;
  add_cleanup(step: Step): void;
}

const outcomes: Outcome[] = [];
let queue: Promise<unknown> = Promise.resolve();

/** Waits for all tests. */
export async function finished(): Promise<readonly Outcome[]> {
  await queue;
  return outcomes;
}

function fail(...message: unknown[]): never {
  throw new Error(message.filter((part) => part !== undefined).map(shown).join(": "));
}

function shown(value: unknown): string {
  return typeof value === "symbol" || typeof value === "bigint" ? String(value) : `${value}`;
}

function context(cleanups: Step[]): Test {
  return {
    unreached_func: (message) => () => fail("reached", message),
    step_func: (step) => step,
    add_cleanup: (step) => void cleanups.push(step),
  };
}

function ended(name: string, error?: unknown): void {
  if (arguments.length === 1) outcomes.push({ name });
  else outcomes.push({ name, message: error instanceof Error ? `${error.name}: ${error.message}` : shown(error) });
}

function same(actual: unknown, expected: unknown, message?: string): void {
  if (!Object.is(actual, expected)) fail(message, `${shown(actual)} instead of ${shown(expected)}`);
}

function thrown(call: Step): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return fail("did not throw");
}

function isError(Class: ErrorClass, error: unknown, message?: string): void {
  if ((error as Error | undefined)?.constructor !== Class) {
    fail(
      message,
      `${error instanceof Error ? `${error.name}: ${error.message}` : shown(error)} instead of ${Class.name}`,
    );
  }
}

async function rejected(promise: PromiseLike<unknown>): Promise<unknown> {
  let isFulfilled = false;
  try {
    await promise;
    isFulfilled = true;
  } catch (error) {
    return error;
  }
  return isFulfilled && fail("was not rejected");
}

function own(object: object, name: PropertyKey): boolean {
  return Object.prototype.hasOwnProperty.call(object, name);
}

/** What the tests find as globals. */
export const globals = {
  self: globalThis,
  format_value: shown,
  setup: (step: Step) => typeof step === "function" && step(),
  test(body: Body, name = "unnamed") {
    const cleanups: Step[] = [];
    try {
      body(context(cleanups));
      ended(name);
    } catch (error) {
      ended(name, error);
    }
    for (const step of cleanups) step();
  },
  promise_test(body: Body, name = "unnamed") {
    queue = queue.then(async () => await body(context([]))).then(() => ended(name), (error) => ended(name, error));
  },
  assert_true: (actual: unknown, message?: string) => same(actual, true, message),
  assert_false: (actual: unknown, message?: string) => same(actual, false, message),
  assert_equals: same,
  assert_not_equals: (actual: unknown, other: unknown, message?: string) =>
    Object.is(actual, other) && fail(message, `${shown(actual)} on both sides`),
  assert_array_equals(actual: ArrayLike<unknown>, expected: ArrayLike<unknown>, message?: string) {
    same(actual.length, expected.length, message);
    for (let i = 0; i < expected.length; i++) same(actual[i], expected[i], `${message ?? ""}[${i}]`);
  },
  assert_class_string: (object: unknown, name: string, message?: string) =>
    same(Object.prototype.toString.call(object), `[object ${name}]`, message),
  assert_own_property: (object: object, name: PropertyKey, message?: string) =>
    own(object, name) || fail(message, `no ${shown(name)}`),
  assert_not_own_property: (object: object, name: PropertyKey, message?: string) =>
    own(object, name) && fail(message, `has ${shown(name)}`),
  assert_unreached: (message?: string) => fail("reached", message),
  assert_not_reached: (message?: string) => fail("reached", message),
  assert_throws_js: (Class: ErrorClass, call: Step, message?: string) => isError(Class, thrown(call), message),
  assert_throws_exactly: (expected: unknown, call: Step, message?: string) => same(thrown(call), expected, message),
  assert_throws: (expected: Error, call: Step, message?: string) =>
    isError(expected.constructor as ErrorClass, thrown(call), message),
  promise_rejects_js: async (_test: Test, Class: ErrorClass, promise: PromiseLike<unknown>, message?: string) =>
    isError(Class, await rejected(promise), message),
  promise_rejects: async (_test: Test, expected: Error, promise: PromiseLike<unknown>, message?: string) =>
    isError(expected.constructor as ErrorClass, await rejected(promise), message),
};
