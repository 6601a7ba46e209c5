// Whether a call comes from the runtime itself: Node's fetch and its TypeScript compile modules through the globals.

interface CallSite {
  getFileName(): string | null | undefined;
}

/**
 * Tells whether the caller of a function is Node's own code.
 *
 * @param called The function.
 */
export function isCalledByNode(called: (...given: never[]) => unknown): boolean {
  const V8 = Error as unknown as {
    captureStackTrace?(holder: object, below: unknown): void;
    prepareStackTrace?: unknown;
  };
  if (!V8.captureStackTrace) return false;
  const { prepareStackTrace, stackTraceLimit } = V8 as Record<string, unknown>;
  const holder: { stack?: unknown } = {};
  // Where somebody has put these properties out of reach, nothing is known.
  Reflect.set(V8, "stackTraceLimit", 1);
  Reflect.set(V8, "prepareStackTrace", (_error: unknown, sites: CallSite[]) => sites);
  try {
    V8.captureStackTrace(holder, called);
    const [site] = Array.isArray(holder.stack) ? holder.stack as CallSite[] : [];
    return site?.getFileName()?.startsWith("node:") ?? false;
  } finally {
    Reflect.set(V8, "stackTraceLimit", stackTraceLimit);
    Reflect.set(V8, "prepareStackTrace", prepareStackTrace);
    if (prepareStackTrace === undefined) Reflect.deleteProperty(V8, "prepareStackTrace");
  }
}
