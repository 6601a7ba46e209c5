// Effects: steps that can be taken at once or waited for, and the two ways to run an operation made of them.
// Knows nothing of caches; the model checker of the tests is a third way to run one.

/** A step that can be taken at once (`sync`) or waited for (`async`), with the same result. */
export interface Effect<T> {
  /** What the step does, for schedules and traces. */
  readonly name: string;
  /** Takes the step now. */
  sync(): T;
  /** Takes the step, now or later. */
  async(): T | PromiseLike<T>;
}

/** A procedure written once: it yields effects and gets back what they gave. */
export type Operation<T> = Generator<Effect<unknown>, T, unknown>;

/** Wraps a step that never waits. */
export function immediate<T>(name: string, step: () => T): Effect<T> {
  return { name, sync: step, async: step };
}

/** Whether the run may wait, as asynchronous ones do. */
export const mayWait: Effect<boolean> = { name: "may wait", sync: () => false, async: () => true };

/** Changes what a step gives. */
export function map<T, U>(effect: Effect<T>, to: (value: T) => U): Effect<U> {
  return { name: effect.name, sync: () => to(effect.sync()), async: async () => to(await effect.async()) };
}

/** What a synchronous run throws where a step can only be waited for. */
export class CannotWait extends TypeError {
  /** Whether a thrown value is one; engines may throw values that cannot be inspected. */
  static is(error: unknown): error is CannotWait {
    try {
      return error instanceof CannotWait;
    } catch {
      return false;
    }
  }
}

/** Makes a whole operation one step: nothing of the same schedule comes in between. */
export function compose<T>(name: string, operation: () => Operation<T>): Effect<T> {
  return { name, sync: () => runSync(operation()), async: () => runAsync(operation()) };
}

/** Takes one step within an operation, and types what comes back. */
export function* perform<T>(effect: Effect<T>): Operation<T> {
  return (yield effect) as T;
}

/** Takes each step of an operation at once: in an asynchronous run, nothing of this process comes in between. */
export function* atOnce<T>(operation: Operation<T>): Operation<T> {
  let step = operation.next();
  while (!step.done) {
    const { name, sync } = step.value;
    let value: unknown;
    try {
      value = yield* perform(immediate(name, sync));
    } catch (error) {
      step = operation.throw(error);
      continue;
    }
    step = operation.next(value);
  }
  return step.value;
}

/**
 * Begins a step that will be needed, to run while other steps are taken.
 *
 * @returns The step to take when its result is needed: the one begun, or, in a synchronous run, the whole of it.
 */
export function* begin<T, E extends Effect<T>>(effect: E & Effect<T>): Operation<E> {
  return yield* perform<E>({
    name: `begin ${effect.name}`,
    sync: () => effect,
    async: () => {
      const begun = (async () => await effect.async())();
      // The taker of the step gets its error; without one, it is dropped.
      begun.catch(() => {});
      return { ...effect, async: () => begun };
    },
  });
}

/** How many items are worked on at a time: more than a runtime has threads, and few enough for memory. */
const AT_ONCE = 16;

/**
 * Works on items: several at once in an asynchronous run, otherwise one after another. The first error ends it, once
 * the work begun is done.
 */
export function* forEach<T>(items: Iterable<T>, work: (item: T) => Operation<unknown>): Operation<void> {
  const isDone = yield* perform<boolean>({
    name: "begin all",
    sync: () => false,
    async: async () => {
      await allAtOnce(items, AT_ONCE, (item) => runAsync(work(item)));
      return true;
    },
  });
  if (isDone) return;
  for (const item of items) yield* work(item);
}

/** Works on some items at once. The first error ends it, when what was begun is done. */
export async function allAtOnce<T>(
  items: Iterable<T>,
  most: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  // One iterator for all workers: it ends for all when one throws.
  const left = (function* () {
    yield* items;
  })();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  const ends = await Promise.allSettled(Array.from({ length: most }, worker));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
}

/** Lets no more than so many tasks run at once; the others wait in turn. */
export function limiter(most: number): <T>(task: () => T | PromiseLike<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await task();
    } finally {
      // The place goes to the next one as it is: a call that comes in between cannot take it.
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** Runs an operation to its end without waiting for anything. */
export function runSync<T>(operation: Operation<T>): T {
  let step = operation.next();
  while (!step.done) step = take(operation, step.value);
  return step.value;
}

function take<T>(operation: Operation<T>, effect: Effect<unknown>): IteratorResult<Effect<unknown>, T> {
  let value: unknown;
  try {
    value = effect.sync();
  } catch (error) {
    return operation.throw(error);
  }
  return operation.next(value);
}

/** Runs an operation to its end, waiting only for steps that give a promise. Without any, it ends within this call. */
export async function runAsync<T>(operation: Operation<T>): Promise<T> {
  let step = operation.next();
  while (!step.done) {
    let value: unknown;
    try {
      value = step.value.async();
      if (isPromise(value)) value = await value;
    } catch (error) {
      step = operation.throw(error);
      continue;
    }
    step = operation.next(value);
  }
  return step.value;
}

/** Whether a value must be awaited; one that cannot be inspected is not. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof (value as PromiseLike<unknown> | undefined)?.then === "function";
  } catch {
    return false;
  }
}
