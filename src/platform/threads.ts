// Data that a thread passes to the workers it starts: Node's environment data, which Bun and Deno have too.

/** Values by name. A worker gets a structured clone of all values set when it is started, and passes them on. */
export interface EnvironmentData {
  /** Whether this is the main thread. */
  readonly isMainThread: boolean;
  /** Reads a value that was set here, or by the thread that started this one. */
  getEnvironmentData(name: string): unknown;
  /** Sets a value for workers; `undefined` removes it. */
  setEnvironmentData(name: string, value: unknown): void;
}

interface Runtime {
  Deno?: unknown;
  process?: { getBuiltinModule?(name: "node:worker_threads"): EnvironmentData };
}

/**
 * Finds the environment data of this thread.
 *
 * @returns `undefined` if there is none; on Deno also if this library does not come from files, because touching
 * `process` takes 13 ms there, unless loading modules synchronously has already done so.
 */
export function environmentData(): EnvironmentData | undefined {
  const runtime = globalThis as Runtime;
  if (runtime.Deno && !import.meta.url?.startsWith("file:")) return undefined;
  return runtime.process?.getBuiltinModule?.("node:worker_threads");
}
