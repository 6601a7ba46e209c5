// What `load` stores: code by its digest, and notes on where it came from. Both are ordinary entries: checked, signed
// and pruned. Without a directory, notes are in memory only.

import { addressIn, folderIn } from "../disk/key.ts";
import QuickLRU from "quick-lru";
import type { Context, Storage } from "../context.ts";
import { type Operation, perform, runAsync } from "../effect.ts";
import { CacheError } from "../errors.ts";
import type { Received } from "../lookup.ts";
import { fromUtf8, toUtf8 } from "../platform/globals.ts";
import { write, type Writing } from "../publish.ts";
import type { Bytes } from "../platform/platform.ts";
import { hasUser } from "../urls.ts";
import { isPolicy, type StoredPolicy } from "./policy.ts";

/** What is known of a URL or of a pinned digest. */
export interface Note {
  /** SHA-256 of the code, hexadecimal. */
  readonly digest?: string;
  /** URL that it redirects to. */
  readonly location?: string;
  /** HTTP's caching policy. */
  readonly policy?: StoredPolicy;
  /** Whether its type was not that of WebAssembly. */
  readonly isOther?: boolean;
}

/** Id under which code is stored: the host engine's, whose entries are the same. */
const CODE = "host";
/** Id under which notes are stored. */
const NOTES = "wasm-module-cache load 1";

/** What a cache's `load` has stored. */
export class Kept {
  readonly #context: Context<unknown>;
  /** Keys of entries found damaged, whose headers may still look right. */
  readonly #damaged = new Set<string>();
  readonly #notes = new QuickLRU<string, Note>({ maxSize: 1000 });

  /** Touches nothing yet. */
  constructor(context: Context<unknown>) {
    this.#context = context;
  }

  /** Finds the note of a name. An invalid one does not count. */
  async note(name: string): Promise<Note | undefined> {
    const known = this.#notes.get(name);
    if (known) return known;
    const bytes = await runAsync(this.#read(NOTES, await this.#digestOf(name)));
    const note = bytes && await noteOf(bytes);
    if (note) this.#notes.set(name, note);
    return note;
  }

  /** Finds code. */
  async code(digest: string): Promise<Received<never> | undefined> {
    const codeDigest = fromHex(digest);
    const code = await runAsync(this.#read(CODE, codeDigest));
    return code && { code, codeDigest, isCopy: true };
  }

  /** Stores a note, in memory at once and on disk in the background. */
  async keepNote(name: string, note: Note): Promise<void> {
    this.#notes.set(name, note);
    await this.#keep(NOTES, await this.#digestOf(name), toUtf8(JSON.stringify(note)));
  }

  /** Writes code in the background, unless it is there already. */
  async keepCode(code: Bytes, codeDigest: Bytes): Promise<void> {
    await this.#keep(CODE, codeDigest, code);
  }

  /** Removes all notes. */
  async clear(storage: Storage | undefined): Promise<void> {
    this.#notes.clear();
    if (storage) await runAsync(storage.disk.clear(await runAsync(folderIn(this.#context.platform, NOTES))));
  }

  async #digestOf(name: string): Promise<Bytes> {
    return await runAsync(perform(this.#context.platform.sha256(toUtf8(name))));
  }

  /** Every fault is a miss. */
  *#read(id: string, digest: Bytes): Operation<Bytes | undefined> {
    const { counters, platform, report, storage } = this.#context;
    if (typeof storage === "string" || storage.directory.mustNotRead) return undefined;
    const address = yield* addressIn(platform, id, digest);
    yield* perform(storage.behind.settle(address.key));
    try {
      const found = yield* storage.disk.read(address, {
        isCode: id === CODE,
        onRead: (_header, bytes) => counters.bytesRead += bytes,
      });
      if (!(found instanceof CacheError)) return found;
      if (id === CODE) this.#damaged.add(address.key);
      report(found);
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      report(error);
    }
  }

  async #keep(id: string, digest: Bytes, payload: Bytes): Promise<void> {
    const { platform, storage } = this.#context;
    if (typeof storage === "string" || storage.directory.mustNotRead || storage.directory.mustNotWrite) return;
    const address = await runAsync(addressIn(platform, id, digest));
    // The lookup may already be writing the same entry.
    if (id === CODE && storage.behind.has(address.key)) return;
    const unable = await runAsync(storage.directory.prepare());
    const writing = { context: this.#context, storage, address, payload, isCode: id === CODE, unable };
    storage.behind.schedule(address.key, payload.length, () => this.#write(writing));
  }

  *#write(writing: Writing): Operation<void> {
    const { address, isCode, payload, storage: { disk } } = writing;
    let { unable } = writing;
    try {
      const mayBeThere = isCode && !this.#damaged.delete(address.key);
      if (mayBeThere && (yield* disk.read(address, { copy: payload })) === payload) return;
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      unable = error;
    }
    yield* write({ ...writing, unable });
  }
}

/** Reads a note: whoever can write the directory may have written anything. */
async function noteOf(bytes: Bytes): Promise<Note | undefined> {
  try {
    const { digest, location, policy, isOther } = JSON.parse(fromUtf8(bytes)) as Note;
    const isDigest = digest === undefined || /^[0-9a-f]{64}$/.test(digest);
    const isLocation = location === undefined || isPublic(new URL(location));
    const isComplete = isDigest && isLocation && (policy === undefined || await isPolicy(policy));
    return isComplete ? { digest, location, policy, isOther: isOther === true } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a redirect's target may be stored: a user part is a secret, and a query may be one. */
export function isPublic({ href, protocol, search }: URL): boolean {
  return /^https?:$/.test(protocol) && search === "" && !hasUser(href);
}

function fromHex(digits: string): Bytes {
  return Uint8Array.from(digits.match(/../g)!, (pair) => parseInt(pair, 16));
}
