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
  const V8 = Error as typeof Error & {
    captureStackTrace?(holder: object, below: unknown): void;
  };
  if (!V8.captureStackTrace) return false;
  const { prepareStackTrace, stackTraceLimit } = V8 as unknown as Record<string, unknown>;
  const holder: { stack?: CallSite[] } = {};
  try {
    Object.assign(V8, { stackTraceLimit: 1, prepareStackTrace: (_error: unknown, sites: CallSite[]) => sites });
    V8.captureStackTrace(holder, called);
    return holder.stack?.[0]?.getFileName()?.startsWith("node:") ?? false;
  } catch {
    // Somebody has put these properties out of reach.
    return false;
  } finally {
    Object.assign(V8, { prepareStackTrace, stackTraceLimit });
    if (prepareStackTrace === undefined) Reflect.deleteProperty(V8, "prepareStackTrace");
  }
}
