// What HTTP says of a response that is kept: whether it may be, whether it is fresh, and how to ask whether it changed.

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
  toObject(): StoredPolicy;
}

interface PolicyClass {
  new (request: typeof REQUEST, response: ResponseHead, options: { shared: false }): Policy;
  fromObject(stored: StoredPolicy): Policy;
}

interface ResponseHead {
  readonly status: number;
  readonly headers: Record<string, string>;
}

/** What every request says; that runtimes add to it differs, so that a response must not vary by that. */
export const REQUEST = { method: "GET", url: "", headers: { accept: "application/wasm" } as Record<string, string> };

/** Headers by which a response may vary: those that are said here, never said, or undone by the runtime. */
const VARIES_BY = ["accept", "accept-encoding", "authorization", "cookie", "origin"];

/** Headers that decide; others are not written down, for they may be secrets. */
const KEPT = ["age", "cache-control", "date", "etag", "expires", "last-modified", "pragma", "vary"];

/** Makes the policy of a response; `undefined` where it must not be kept. */
export async function policyOf(response: Response): Promise<StoredPolicy | undefined> {
  const head = headOf(response);
  const varies = head.headers.vary?.toLowerCase().split(",").map((name) => name.trim()) ?? [];
  if (!varies.every((name) => VARIES_BY.includes(name))) return undefined;
  const policy = new (await policyClass())(REQUEST, head, { shared: false });
  return policy.storable() ? policy.toObject() : undefined;
}

/** Tells whether what was written down can be read. */
export async function isPolicy(stored: StoredPolicy): Promise<boolean> {
  const Policy = await policyClass();
  try {
    Policy.fromObject(stored).satisfiesWithoutRevalidation(REQUEST);
    return true;
  } catch {
    return false;
  }
}

/** Tells whether what was kept may be used without asking. */
export async function isFresh(stored: StoredPolicy): Promise<boolean> {
  return (await policyClass()).fromObject(stored).satisfiesWithoutRevalidation(REQUEST);
}

/** Headers that ask whether something changed. */
export async function revalidationHeaders(stored: StoredPolicy): Promise<Record<string, string>> {
  return (await policyClass()).fromObject(stored).revalidationHeaders(REQUEST);
}

/** Reads what the server said to them. */
export async function revalidated(stored: StoredPolicy, response: Response): Promise<Revalidated> {
  const { policy, matches } = (await policyClass()).fromObject(stored).revalidatedPolicy(REQUEST, headOf(response));
  return { isSame: matches, policy: policy.toObject() };
}

function headOf({ status, headers }: Response): ResponseHead {
  const kept = KEPT.flatMap((name): [string, string][] => headers.has(name) ? [[name, headers.get(name)!]] : []);
  return { status, headers: Object.fromEntries(kept) };
}

/** Loaded only when something comes by HTTP. */
async function policyClass(): Promise<PolicyClass> {
  return (await import("http-cache-semantics") as unknown as { default: PolicyClass }).default;
}
