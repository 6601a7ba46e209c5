// What a thread hands to the workers that it starts: Node's environment data, which Bun and Deno have too.

/** Values by name. Workers get a structured clone of all that is there when they are started, and hand it on. */
export interface EnvironmentData {
  /** Nobody started this thread. */
  readonly isMainThread: boolean;
  /** Reads what was set here, or by the thread that started this one. */
  getEnvironmentData(name: string): unknown;
  /** Sets what workers get; `undefined` removes it. */
  setEnvironmentData(name: string, value: unknown): void;
}

interface Runtime {
  Deno?: unknown;
  process?: { getBuiltinModule?(name: "node:worker_threads"): EnvironmentData };
}

/**
 * Finds the environment data of this thread.
 *
 * @returns `undefined` where there is none. On Deno also where this library does not come from files: to touch `process`
 * takes 13 ms there, and only what loads modules synchronously has done so before.
 */
export function environmentData(): EnvironmentData | undefined {
  const runtime = globalThis as Runtime;
  if (runtime.Deno && !import.meta.url?.startsWith("file:")) return undefined;
  return runtime.process?.getBuiltinModule?.("node:worker_threads");
}
