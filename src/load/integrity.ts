// Subresource integrity: digests of which code must have one. https://www.w3.org/TR/SRI/

import { toHex } from "../bytes.ts";
import { crypto } from "../platform/globals.ts";
import type { Bytes } from "../platform/platform.ts";

/** A digest that code may have. */
export interface Pin {
  /** Hash function, as Web Crypto names it. */
  readonly algorithm: "SHA-256" | "SHA-384" | "SHA-512";
  /** Base64 of the digest. */
  readonly digest: string;
}

/** By strength. */
const ALGORITHMS = ["SHA-256", "SHA-384", "SHA-512"] as const;

/**
 * Reads an integrity string: digests of the strongest algorithm in it, of which the bytes must have one.
 *
 * @throws {TypeError} When it has no digest that can be checked: a check that was asked for must not be skipped
 * silently.
 */
export function pinsOf(integrity: unknown): readonly Pin[] {
  if (integrity === undefined || integrity === "") return [];
  if (typeof integrity !== "string") throw new TypeError("Cannot use integrity: it must be a string");
  const pins = integrity.trim().split(/\s+/).flatMap((token): Pin[] => {
    const [, bits, digest] = /^sha(256|384|512)-([A-Za-z0-9+/_-]+={0,2})(?:\?.*)?$/i.exec(token) ?? [];
    const algorithm = ALGORITHMS.find((name) => name === `SHA-${bits}`);
    const standard = digest?.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
    // A digest of that algorithm has this length.
    if (!algorithm || standard!.length !== Math.ceil(Number(bits) / 6)) return [];
    return [{ algorithm, digest: standard! }];
  });
  const strongest = ALGORITHMS.findLast((name) => pins.some(({ algorithm }) => algorithm === name));
  if (!strongest) throw new TypeError(`Cannot use integrity "${integrity}": it has no digest of SHA-256, 384 or 512`);
  return pins.filter(({ algorithm }) => algorithm === strongest);
}

/** Code and its computed SHA-256. */
export interface Digested {
  /** The code. */
  readonly code: Bytes;
  /** Its SHA-256, hexadecimal. */
  readonly digest: string;
}

/** Finds the pin that the code matches; `undefined` if there is none. */
export async function pinOf({ code, digest }: Digested, pins: readonly Pin[]): Promise<Pin | undefined> {
  const [{ algorithm }] = pins as [Pin];
  if (algorithm === "SHA-256") return pins.find((pin) => sha256Of(pin) === digest);
  const found = toBase64(new Uint8Array(await crypto.subtle.digest(algorithm, code)));
  return pins.find((pin) => pin.digest === found);
}

/**
 * Checks code against pins.
 *
 * @returns The pin that matches; `undefined` if there are no pins.
 * @throws {TypeError} When the code matches none of them.
 */
export async function checkPins(code: Digested, pins: readonly Pin[], name: string): Promise<Pin | undefined> {
  if (pins.length === 0) return undefined;
  const pin = await pinOf(code, pins);
  if (!pin) throw new TypeError(`Cannot load ${name}: it has not the ${pins[0]!.algorithm} that integrity says`);
  return pin;
}

/** Hexadecimal digits of a SHA-256 pin; `undefined` for other pins. */
export function sha256Of({ algorithm, digest }: Pin): string | undefined {
  return algorithm === "SHA-256" ? toHex(Uint8Array.from(atob(digest), (byte) => byte.charCodeAt(0))) : undefined;
}

/** A digest as base64 without padding. */
function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/=+$/, "");
}
