// What decides whether an artifact made here loads there, as a text. Must not open the library.

import { toHex } from "../bytes.ts";
import { detectPlatform } from "../platform/detect.ts";
import type { Bytes } from "../platform/platform.ts";
import { target } from "./library.ts";
import type { Settings } from "./settings.ts";

/** The version whose structures the binding knows. */
export const MAJOR = 50;

/** Program headers and notes are within an image's beginning. */
const HEAD_BYTES = 4096;

/** Builds by path: a library that is replaced while the process lives is not the one that it has opened. */
const builds = new Map<string, string>();

/**
 * Names everything that decides what code is made: the library's build, the machine, every setting. Wasmtime itself
 * refuses code for features that the processor lacks, but accepts that of another patch release and other settings.
 *
 * Reads one page of the library. One that is no ELF image, or has no build id, is read as a whole, once (27 MB:
 * 47 to 72 ms).
 *
 * @param library Path of the library, without links.
 * @param features Digest of the features of the processor.
 * @throws The runtime's own error, if the library cannot be read.
 */
export function identityOf(library: string, settings: Settings, features: string): string {
  const build = builds.get(library) ?? buildOf(library);
  builds.set(library, build);
  const { os, arch, isMusl } = target();
  const all = Object.entries(settings).sort(([a], [b]) => a < b ? -1 : 1).map(([name, value]) => `${name}=${value}`);
  return ["wasmtime", MAJOR, build, isMusl ? `${os}-musl` : os, arch, features, ...all].join(" ");
}

function buildOf(library: string): string {
  const { files, sha256 } = detectPlatform();
  const head = files!.withFile(library, (file) => file.read(0, HEAD_BYTES)).sync();
  return buildIdIn(head) ?? `sha256:${toHex(sha256(files!.readWhole(library).sync()).sync())}`;
}

const [PT_NOTE, NT_GNU_BUILD_ID, GNU] = [4, 3, 0x554e47];

/**
 * GNU build id in the beginning of a 64-bit little-endian ELF image.
 *
 * @returns In hexadecimal; `undefined` if it has none there.
 */
function buildIdIn(head: Bytes): string | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  // Magic, class and byte order, of which each machine that is served has this one.
  if (head.length < 64 || view.getUint32(0) !== 0x7f454c46 || view.getUint16(4) !== 0x0201) return undefined;
  const [start, size, count] = [
    Number(view.getBigUint64(32, true)),
    view.getUint16(54, true),
    view.getUint16(56, true),
  ];
  for (let i = 0; i < count; i++) {
    const at = start + i * size;
    if (at + 56 > head.length) return undefined;
    if (view.getUint32(at, true) !== PT_NOTE) continue;
    const offset = Number(view.getBigUint64(at + 8, true));
    const id = buildIdAmong(view, offset, offset + Number(view.getBigUint64(at + 32, true)));
    if (id !== undefined) return id;
  }
  return undefined;
}

/** Each note: lengths of name and value, type, name, value; both padded to four bytes. */
function buildIdAmong(view: DataView<ArrayBuffer>, start: number, end: number): string | undefined {
  const last = Math.min(end, view.byteLength);
  for (let at = start; at + 16 <= last;) {
    const [nameLength, length, type] = [0, 4, 8].map((i) => view.getUint32(at + i, true)) as [number, number, number];
    const value = at + 12 + padded(nameLength);
    const isBuildId = type === NT_GNU_BUILD_ID && nameLength === 4 && view.getUint32(at + 12, true) === GNU;
    if (isBuildId && length > 0 && value + length <= last) {
      return toHex(new Uint8Array(view.buffer, view.byteOffset + value, length));
    }
    at = value + padded(length);
  }
  return undefined;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
