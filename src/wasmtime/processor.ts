// What the processor of this machine can do, in a few characters. Knows no library.

import { fromUtf8 } from "../platform/globals.ts";
import { detectPlatform } from "../platform/detect.ts";

/** The features of the first processor are within its beginning; the file has as many parts as there are processors. */
const HEAD_BYTES = 8192;

let known: string | undefined;

/** Digest of the processor's features; `undefined` if they cannot be read. They do not change while a process lives. */
export function processor(): string | undefined {
  return known ??= digestOf(featuresIn(cpuInfo()));
}

function cpuInfo(): string {
  const { files } = detectPlatform();
  const path = "/proc/cpuinfo";
  if (!files?.mayAccess(path, "read")) return "";
  try {
    return fromUtf8(files.withFile(path, (file) => file.read(0, HEAD_BYTES)).sync());
  } catch {
    // Whatever the reason, they are unknown.
    return "";
  }
}

/** Features in what Linux says, in one order; `undefined` if it does not name them, or not all. */
function featuresIn(info: string): string[] | undefined {
  const line = info.match(/^(?:flags|Features)\s*:(.*)\n/m)?.[1];
  const features = line?.split(/\s+/).filter((name) => name !== "").sort();
  return features?.length ? features : undefined;
}

/** FNV-1a, 64 bits: nobody gains by a collision, and SHA-256 takes Deno 30 ms to load for a synchronous call. */
function digestOf(features: string[] | undefined): string | undefined {
  if (!features) return undefined;
  let digest = 0xcbf29ce484222325n;
  for (const character of features.join(" ")) {
    digest = BigInt.asUintN(64, (digest ^ BigInt(character.charCodeAt(0))) * 0x100000001b3n);
  }
  return digest.toString(16).padStart(16, "0");
}
