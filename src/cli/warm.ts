// The command that makes entries.

import { shown as shownUrl } from "../urls.ts";
import { allAtOnce } from "../effect.ts";
import { type Call, print } from "./call.ts";
import { bar, lasting, table } from "./screen.ts";
import { exists, matching, urlOf } from "./system.ts";

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
    ...done.filter(({ error }) => error !== undefined).map(({ error, url }) => `FAILED ${shown(url)}: ${error}`),
  ]);
  return made.length === done.length ? 0 : 1;
}

/** The URLs that an argument names: itself, a file, or the files that a pattern matches. */
function urlsOf(arg: string): string[] {
  if (/^(https?|file|data):/.test(arg)) return [arg];
  const paths = exists(arg) ? [arg] : matching(arg);
  return (paths.length > 0 ? paths : [arg]).map(urlOf);
}

/** A URL for people: the path of a file. */
function shown(url: string): string {
  return url.startsWith("file:") ? decodeURIComponent(new URL(url).pathname.split("/").at(-1)!) : shownUrl(url);
}
