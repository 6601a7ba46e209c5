// Warnings: each kind of fault once, and no failing callback in the way.

import QuickLRU from "quick-lru";
import { textOf } from "./bytes.ts";
import { isPromise } from "./effect.ts";
import { type CacheError, type CacheWarning, systemCode } from "./errors.ts";

/**
 * Passes each kind of fault on once, because a full disk fails every write alike. Each damaged entry is a kind of its
 * own.
 */
export function once(onWarning: (warning: CacheWarning) => unknown): (fault: CacheError) => void {
  const seen = new QuickLRU<string, true>({ maxSize: MAX_KINDS });
  return (fault) => {
    const kind = `${fault.code} ${kindOfFault(fault)}`.slice(0, MAX_KIND_LENGTH);
    if (seen.has(kind)) return;
    seen.set(kind, true);
    try {
      const result = onWarning(fault);
      if (isPromise(result)) result.then(undefined, complain);
    } catch (error) {
      complain(error);
    }
  };
}

function kindOfFault({ code, cause, message, path }: CacheError): string {
  // Each call to a remote that is gone fails in another way, and has no path.
  if (code === "CORRUPT" || code === "UNTRUSTED" || code === "REMOTE") return path ?? "";
  if (code === "IO" && cause !== undefined) return systemCode(cause);
  return cause !== undefined ? textOf(cause) : (code === "IO" ? message : "");
}

/**
 * How many kinds of faults are remembered, and how many characters of each: an engine's messages may differ each time.
 */
const [MAX_KINDS, MAX_KIND_LENGTH] = [1000, 400];

/** A failing callback must break neither the lookup nor the program. */
function complain(error: unknown): void {
  try {
    console.error(`wasm-module-cache: Cannot give warning: ${textOf(error)}`);
  } catch {
    // Test setups have the console throw.
  }
}
