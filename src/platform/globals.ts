// The runtime's timers, clocks and text coders, as they were when this library was loaded. Test runners replace the
// globals with fakes that stand still: a lookup waiting on one would never end. Knows no cache.

interface Own {
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

type Coders = Pick<typeof globalThis, "TextEncoder" | "TextDecoder">;

interface Runtime extends Own, Coders {
  Deno?: { unrefTimer(timer: number): void };
  process?: {
    on?(event: "exit", call: () => void): void;
    getBuiltinModule?(name: "node:timers"): Own;
    getBuiltinModule?(name: "node:util"): Coders;
    getBuiltinModule?(name: "node:crypto"): { webcrypto: Crypto };
  };
}

const runtime = globalThis as unknown as Runtime;

/** Not on Deno, which has no such modules, and takes 20 ms to touch `process`. */
const process = runtime.Deno ? undefined : runtime.process;

/**
 * Returns a function that reads a global when it is needed, as it is now. Some are created when they are first read,
 * which takes Deno 13 ms for its timers, and Node 3 ms for Web Crypto.
 */
function lazily<T>(name: string): () => T {
  const { get, value } = Object.getOwnPropertyDescriptor(globalThis, name) ??
    { value: (globalThis as Record<string, unknown>)[name] };
  return get ? () => get.call(globalThis) : () => value;
}

/** Jest and Vitest give each test file its own globals, perhaps fakes or jsdom's. Built-in modules stay Node's own. */
const timers = process?.getBuiltinModule?.("node:timers");
const { setTimeout, clearTimeout } = timers ?? {};
const [globalSetTimeout, globalClearTimeout] = [
  lazily<Own["setTimeout"]>("setTimeout"),
  lazily<Own["clearTimeout"]>("clearTimeout"),
];

/** Fakes replace `Date` itself, but only a method of `performance`. */
const { Date, performance } = globalThis;

const globalCrypto = lazily<Crypto | undefined>("crypto");

/** jsdom has a part of it. */
function webCrypto(): Crypto {
  const own = globalCrypto();
  return own?.subtle ? own : process?.getBuiltinModule?.("node:crypto").webcrypto ?? own!;
}

/** Web Crypto. */
export const crypto: Pick<Crypto, "subtle" | "randomUUID"> = {
  get subtle() {
    return webCrypto().subtle;
  },
  randomUUID: () => webCrypto().randomUUID(),
};

const { now: performanceNow } = performance;

/** Time since some fixed moment, in ms; never goes back. */
export function clock(): number {
  return performanceNow.call(performance);
}

/** The time of day, ms since 1970. */
export function now(): number {
  return Date.now();
}

/** A timer that was set: a number on Deno and in browsers, otherwise an object. */
export type Timer = number | { unref?(): void };

/** Lets the process end before a timer. */
export function letEnd(timer: Timer): void {
  if (typeof timer === "object") timer.unref?.();
  else runtime.Deno?.unrefTimer(timer);
}

/** `setTimeout`. */
export function setTimer(callback: () => void, delayMs: number): Timer {
  return (setTimeout ?? globalSetTimeout())(callback, delayMs) as Timer;
}

/** `clearTimeout`. */
export function clearTimer(timer: Timer): void {
  (clearTimeout ?? globalClearTimeout())(timer);
}

/** jsdom, in which Jest can run programs, has no text coders. */
const { TextEncoder, TextDecoder } = runtime.TextEncoder ? runtime : process!.getBuiltinModule!("node:util");

/** Bytes of a text, as UTF-8. */
export function toUtf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Text of bytes that are UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
