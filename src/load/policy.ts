// HTTP's rules for stored responses (RFC 9111, RFC 5861): what may be stored, what is fresh, how to revalidate, and
// when a stale response may be used.

/** A policy in the form that is stored. */
export type StoredPolicy = Readonly<Record<string, unknown>>;

/** Result of a revalidation. */
export interface Revalidated {
  /** Whether the stored response is still valid. */
  readonly isSame: boolean;
  /** The policy that applies from now on. */
  readonly policy: StoredPolicy;
}

interface Policy {
  storable(): boolean;
  satisfiesWithoutRevalidation(request: typeof REQUEST): boolean;
  revalidationHeaders(request: typeof REQUEST): Record<string, string>;
  revalidatedPolicy(request: typeof REQUEST, response: ResponseHead): { policy: Policy; matches: boolean };
  /** Seconds for which it is fresh. */
  maxAge(): number;
  /** Seconds since it was generated. */
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

/** What every request sends. Runtimes add different headers, so a stored response must not vary by those. */
export const REQUEST = { method: "GET", url: "", headers: { accept: "application/wasm" } as Record<string, string> };

/**
 * Headers by which a stored response may vary (RFC 9111, 4.1): those that are always the same, never sent, or undone by
 * the runtime.
 */
const VARIES_BY = ["accept", "accept-encoding", "authorization", "cookie", "origin"];

/** Headers that decide. Others are not stored, because they may be secrets. */
const KEPT = ["age", "cache-control", "date", "etag", "expires", "last-modified", "pragma", "vary"];

/** Statuses that count as a server's error (RFC 5861, 4). */
const ERRORS = [500, 502, 503, 504];

/** The time of day, ms since 1970. */
export type Clock = () => number;

/** Policy of a response; `undefined` if it must not be stored (RFC 9111, 3). */
export async function policyOf(response: Response, now: Clock): Promise<StoredPolicy | undefined> {
  const head = headOf(response);
  const varies = head.headers.vary?.toLowerCase().split(",").map((name) => name.trim()) ?? [];
  if (!varies.every((name) => VARIES_BY.includes(name))) return undefined;
  const policy = new (await policyClass(now))(REQUEST, head, { shared: false });
  return policy.storable() ? policy.toObject() : undefined;
}

/** Whether a stored policy can be read. */
export async function isPolicy(stored: StoredPolicy): Promise<boolean> {
  const Policy = await policyClass(() => 0);
  try {
    Policy.fromObject(stored).satisfiesWithoutRevalidation(REQUEST);
    return Number.isFinite(stored.t) && Object(stored.rescc) === stored.rescc;
  } catch {
    return false;
  }
}

/** Whether a stored response may be used without asking (RFC 9111, 4.2). */
export async function isFresh(stored: StoredPolicy, now: Clock): Promise<boolean> {
  // RFC 9111, 5.2.2.2: `must-revalidate` applies to stale responses only; the library applies it to all.
  const { "must-revalidate": _, ...rescc } = stored.rescc as Record<string, unknown>;
  const policy = (await policyClass(now)).fromObject({ ...stored, rescc });
  return isDated(stored, now) && policy.satisfiesWithoutRevalidation(REQUEST);
}

/**
 * Whether a stored response is better than the server's answer, although it is stale.
 *
 * @param status Status of the server's answer; `undefined` if there was none.
 */
export async function isBetterThan(status: number | undefined, stored: StoredPolicy, now: Clock): Promise<boolean> {
  const directives = stored.rescc as Record<string, unknown>;
  // RFC 9111, 5.2.2.2: it must not be used then, not even without an answer.
  if ("must-revalidate" in directives) return false;
  // RFC 9111, 4.2.4. `no-cache` (5.2.2.4) forbids it too, which is not followed: that a program starts without network
  // is worth more to its users.
  if (status === undefined) return true;
  if (!ERRORS.includes(status)) return false;
  // RFC 9111, 4.3.3: an error may count as no answer; RFC 5861, 4: only as long as the server said.
  if (!("stale-if-error" in directives)) return true;
  const policy = (await policyClass(now)).fromObject(stored);
  return isDated(stored, now) && policy.maxAge() + Number(directives["stale-if-error"]) > policy.age();
}

/** RFC 9111, 4.2.3: age counts from the response's arrival. If that is in the future, the clock was wrong. */
function isDated({ t }: StoredPolicy, now: Clock): boolean {
  return t as number <= now();
}

/** Headers of a revalidation (RFC 9111, 4.3.1). */
export async function revalidationHeaders(stored: StoredPolicy): Promise<Record<string, string>> {
  return (await policyClass(() => 0)).fromObject(stored).revalidationHeaders(REQUEST);
}

/** Evaluates its answer (RFC 9111, 4.3.3 and 4.3.4). */
export async function revalidated(stored: StoredPolicy, response: Response, now: Clock): Promise<Revalidated> {
  const { policy, matches } = (await policyClass(now)).fromObject(stored)
    .revalidatedPolicy(REQUEST, headOf(response));
  return { isSame: matches, policy: policy.toObject() };
}

function headOf({ status, headers }: Response): ResponseHead {
  const kept: [string, string][] = [];
  for (const name of KEPT) if (headers.has(name)) kept.push([name, headers.get(name)!]);
  const head = Object.fromEntries(kept);
  // RFC 9111, 5.2: directives are case-insensitive; the library reads lower case only.
  for (const name of ["cache-control", "pragma"]) if (name in head) head[name] = head[name]!.toLowerCase();
  // RFC 9111, 4.2.1: a response with two ages is stale; the library takes the last.
  if (/(^|,)\s*max-age\b.*,\s*max-age\b/.test(head["cache-control"] ?? "")) head["cache-control"] += ", max-age=0";
  // RFC 9111, 5.1: the first of several, if it is a number; a negative one would make the response younger.
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
