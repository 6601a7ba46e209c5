// What HTTP says of a response that is kept: whether it may be, whether it is fresh, how to ask whether it changed, and
// when it may be used although it is stale. By RFC 9111 and RFC 5861.

/** A policy as it is written down. */
export type StoredPolicy = Readonly<Record<string, unknown>>;

/** What a server said to a request that may have changed nothing. */
export interface Revalidated {
  /** The stored response is still right. */
  readonly isSame: boolean;
  /** What counts from now on. */
  readonly policy: StoredPolicy;
}

interface Policy {
  storable(): boolean;
  satisfiesWithoutRevalidation(request: typeof REQUEST): boolean;
  revalidationHeaders(request: typeof REQUEST): Record<string, string>;
  revalidatedPolicy(request: typeof REQUEST, response: ResponseHead): { policy: Policy; matches: boolean };
  /** Seconds for which it is fresh. */
  maxAge(): number;
  /** Seconds since it was made. */
  age(): number;
  toObject(): StoredPolicy;
}

interface PolicyClass {
  // deno-lint-ignore no-explicit-any -- what a class that can be extended takes
  new (...given: any[]): Policy;
  fromObject(stored: StoredPolicy): Policy;
}

interface ResponseHead {
  readonly status: number;
  readonly headers: Record<string, string>;
}

/** What every request says; that runtimes add to it differs, so that a response must not vary by that. */
export const REQUEST = { method: "GET", url: "", headers: { accept: "application/wasm" } as Record<string, string> };

/** Headers by which a response may vary (RFC 9111, 4.1): those that are said here, never said, or undone by the runtime. */
const VARIES_BY = ["accept", "accept-encoding", "authorization", "cookie", "origin"];

/** Headers that decide; others are not written down, for they may be secrets. */
const KEPT = ["age", "cache-control", "date", "etag", "expires", "last-modified", "pragma", "vary"];

/** What counts as an error of the server (RFC 5861, 4). */
const ERRORS = [500, 502, 503, 504];

/** The time of day, ms since 1970. */
export type Clock = () => number;

/** Makes the policy of a response; `undefined` where it must not be kept (RFC 9111, 3). */
export async function policyOf(response: Response, now: Clock): Promise<StoredPolicy | undefined> {
  const head = headOf(response);
  const varies = head.headers.vary?.toLowerCase().split(",").map((name) => name.trim()) ?? [];
  if (!varies.every((name) => VARIES_BY.includes(name))) return undefined;
  const policy = new (await policyClass(now))(REQUEST, head, { shared: false });
  return policy.storable() ? policy.toObject() : undefined;
}

/** Tells whether what was written down can be read. */
export async function isPolicy(stored: StoredPolicy): Promise<boolean> {
  const Policy = await policyClass(() => 0);
  try {
    Policy.fromObject(stored).satisfiesWithoutRevalidation(REQUEST);
    return Number.isFinite(stored.t) && Object(stored.rescc) === stored.rescc;
  } catch {
    return false;
  }
}

/** Tells whether what was kept may be used without asking (RFC 9111, 4.2). */
export async function isFresh(stored: StoredPolicy, now: Clock): Promise<boolean> {
  // RFC 9111, 5.2.2.2: `must-revalidate` is for what is stale; the library asks always.
  const { "must-revalidate": _, ...rescc } = stored.rescc as Record<string, unknown>;
  const policy = (await policyClass(now)).fromObject({ ...stored, rescc });
  return isDated(stored, now) && policy.satisfiesWithoutRevalidation(REQUEST);
}

/**
 * Tells whether what was kept may be used although it is stale, where nothing better is to be had.
 *
 * @param status What the server answered; `undefined` where nobody did.
 */
export async function isBetterThan(status: number | undefined, stored: StoredPolicy, now: Clock): Promise<boolean> {
  const directives = stored.rescc as Record<string, unknown>;
  // RFC 9111, 5.2.2.2: it must not be used then, not even where nobody answers.
  if ("must-revalidate" in directives) return false;
  // RFC 9111, 4.2.4. That `no-cache` (5.2.2.4) forbids it too is not followed: a program that starts without network is
  // worth more to its users.
  if (status === undefined) return true;
  if (!ERRORS.includes(status)) return false;
  // RFC 9111, 4.3.3: an error may be taken as no answer, unless (RFC 5861, 4) the server said for how long it may.
  if (!("stale-if-error" in directives)) return true;
  const policy = (await policyClass(now)).fromObject(stored);
  return isDated(stored, now) && policy.maxAge() + Number(directives["stale-if-error"]) > policy.age();
}

/** RFC 9111, 4.2.3: age counts from when the response came; where that is still to come, the clock was wrong. */
function isDated({ t }: StoredPolicy, now: Clock): boolean {
  return t as number <= now();
}

/** Headers that ask whether something changed (RFC 9111, 4.3.1). */
export async function revalidationHeaders(stored: StoredPolicy): Promise<Record<string, string>> {
  return (await policyClass(() => 0)).fromObject(stored).revalidationHeaders(REQUEST);
}

/** Reads what the server said to them (RFC 9111, 4.3.3 and 4.3.4). */
export async function revalidated(stored: StoredPolicy, response: Response, now: Clock): Promise<Revalidated> {
  const { policy, matches } = (await policyClass(now)).fromObject(stored)
    .revalidatedPolicy(REQUEST, headOf(response));
  return { isSame: matches, policy: policy.toObject() };
}

function headOf({ status, headers }: Response): ResponseHead {
  const kept: [string, string][] = [];
  for (const name of KEPT) if (headers.has(name)) kept.push([name, headers.get(name)!]);
  const head = Object.fromEntries(kept);
  // RFC 9111, 5.2: names of directives are the same in capitals; the library reads small ones only.
  for (const name of ["cache-control", "pragma"]) if (name in head) head[name] = head[name]!.toLowerCase();
  // RFC 9111, 4.2.1: what says two ages is stale; the library takes the last of them.
  if (/(^|,)\s*max-age\b.*,\s*max-age\b/.test(head["cache-control"] ?? "")) head["cache-control"] += ", max-age=0";
  // RFC 9111, 5.1: the first of several, and none that is no number; a negative one would make it younger.
  if ("age" in head) head.age = /^\s*\d+/.exec(head.age!)?.[0] ?? "0";
  return { status, headers: head };
}

/** Loaded only when something comes by HTTP. */
async function policyClass(now: Clock): Promise<PolicyClass> {
  const { default: Policy } = await import("http-cache-semantics") as unknown as { default: PolicyClass };
  return class extends Policy {
    /** The library's clock. */
    now(): number {
      return now();
    }
  };
}
