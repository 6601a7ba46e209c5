// What is in a directory, looked at from outside: files by kind, and whether each entry is what was written. Uses the
// format of the library, but neither its reads nor its checks.

import { toHex } from "../../src/bytes.ts";
import { decodeHeader, HEADER_BYTES, SEALED_BYTES, sealOf } from "../../src/disk/entry.ts";
import { ENTRY_NAME, FOLDER_NAME, keyMaterial, PREFIX_NAME } from "../../src/disk/key.ts";

/** A file that was there. */
export interface Stored {
  /** Where. */
  readonly path: string;
  /** Length, bytes. */
  readonly size: number;
  /** Number of the file: it stays when the file is renamed. */
  readonly inode: number | null;
}

/** Path of all that this version of the cache keeps in a directory. */
export function rootOf(directory: string): string {
  return `${directory}/v1`;
}

/** Files that are being written, or were when their writer died. */
export function temporariesIn(directory: string): Stored[] {
  return filesIn(`${rootOf(directory)}/tmp`, /./);
}

/** Tells one stamp of a prune from another; `undefined` where there is none. */
export function prunedIn(directory: string): number | null | undefined {
  return statOf(`${rootOf(directory)}/pruned`)?.inode;
}

/** Entries of all engines. */
export function entriesIn(directory: string): Stored[] {
  const root = rootOf(directory);
  const entries: Stored[] = [];
  for (const folder of namesIn(root, FOLDER_NAME)) {
    for (const prefix of namesIn(`${root}/${folder}`, PREFIX_NAME)) {
      entries.push(...filesIn(`${root}/${folder}/${prefix}`, ENTRY_NAME));
    }
  }
  return entries;
}

/**
 * Bytes of entries and temporary files that were in a directory at one moment, while others write and remove there.
 *
 * A file seen once before that moment and once after it was there all the time, for none is ever put back: so this may be
 * too little by what came or went just then, and never too much.
 */
export function bytesAtOnce(directory: string): { bytes: number; files: number } {
  const seen = new Map<number | string, Stored>();
  // A temporary file found again under its final name takes that name.
  for (const file of temporariesIn(directory)) seen.set(file.inode ?? file.path, file);
  for (const file of entriesIn(directory)) seen.set(file.inode ?? file.path, file);
  let bytes = 0;
  let files = 0;
  for (const { path, size, inode } of seen.values()) {
    const again = statOf(path);
    if (again?.inode !== inode) continue;
    bytes += size;
    files++;
  }
  return { bytes, files };
}

/** Tells what is wrong with each entry of a directory that nobody writes to. */
export async function damageIn(directory: string): Promise<string[]> {
  const damages = await Promise.all(entriesIn(directory).map(damageOf));
  return damages.filter((damage) => damage !== undefined);
}

async function damageOf({ path }: Stored): Promise<string | undefined> {
  const bytes = await Deno.readFile(path);
  const head = bytes.slice(-HEADER_BYTES);
  const header = decodeHeader(head, bytes.length);
  if (typeof header === "string") return `${path}: ${header}`;
  const { codeDigest, engineDigest, payloadSha256 } = header;
  const key = toHex(await sha256(keyMaterial(codeDigest, engineDigest)));
  const digests = {
    header: [await sha256(head.slice(0, SEALED_BYTES)), sealOf(head)],
    payload: [await sha256(bytes.slice(0, header.payloadLength)), payloadSha256],
  };
  for (const [name, [actual, written]] of Object.entries(digests)) {
    if (toHex(actual!) !== toHex(written!)) return `${path}: its ${name} is not what was written`;
  }
  if (!path.endsWith(`/${key.slice(0, 2)}/${key.slice(2)}`)) return `${path}: it belongs elsewhere`;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function filesIn(path: string, pattern: RegExp): Stored[] {
  return namesIn(path, pattern).map((name) => statOf(`${path}/${name}`)).filter((file) => file !== undefined);
}

function statOf(path: string): Stored | undefined {
  return unlessGone(() => {
    const { size, ino: inode } = Deno.lstatSync(path);
    return { path, size, inode };
  });
}

function namesIn(path: string, pattern: RegExp): string[] {
  const names = unlessGone(() => Array.from(Deno.readDirSync(path), ({ name }) => name)) ?? [];
  return names.filter((name) => pattern.test(name));
}

function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
