// The command that makes entries.

import { existsSync, globSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { shown as shownUrl } from "../calls/streaming.ts";
import { allAtOnce } from "../effect.ts";
import { type Call, print } from "./call.ts";
import { bar, lasting, plain, table } from "./screen.ts";

/** Runs the command. */
export async function warm(call: Call): Promise<number> {
  const { args, concurrency, screen, signal } = call;
  const cache = await call.open();
  const urls = args.flatMap(urlsOf);
  const done: { url: string; from?: string; key?: string; stored?: boolean; elapsedMs?: number; error?: string }[] = [];
  const progress = bar(screen, "warm");
  try {
    progress.at(0, urls.length);
    await allAtOnce(urls, Math.min(concurrency, urls.length), async (url) => {
      try {
        await cache.warm([url], {
          signal,
          onProgress: ({ elapsedMs, from, key, stored }) => void done.push({ url, from, key, stored, elapsedMs }),
        });
      } catch (error) {
        signal?.throwIfAborted();
        done.push({ url, error: (error as Error).message });
      }
      progress.at(done.length, urls.length);
    });
    // A write in the background may have failed.
    await cache.flush();
  } finally {
    progress.end();
  }
  const made = done.filter(({ error }) => error === undefined);
  print(call, done, () => [
    ...(made.length === 0 ? [] : [
      table(
        [{ head: "FROM" }, { head: "TIME", isNumber: true }, { head: "MODULE", mayShrink: true }],
        made.map(({ elapsedMs, from, stored, url }) => [
          stored ? from! : "not stored",
          lasting(elapsedMs!),
          shown(url),
        ]),
      ),
    ]),
    ...done.filter(({ error }) => error !== undefined).map(({ error, url }) => plain(`FAILED ${shown(url)}: ${error}`)),
  ]);
  return made.length === done.length ? 0 : 1;
}

/** The URLs that an argument names: itself, a file, or the files that a pattern matches. */
function urlsOf(arg: string): string[] {
  if (/^(https?|file|data):/.test(arg)) return [arg];
  const paths = existsSync(arg) ? [arg] : globSync(arg).sort();
  return (paths.length > 0 ? paths : [arg]).map((path) => pathToFileURL(resolve(path)).href);
}

/** A URL for people: the path of a file. */
function shown(url: string): string {
  return url.startsWith("file:") ? decodeURIComponent(new URL(url).pathname.split("/").at(-1)!) : shownUrl(url);
}
