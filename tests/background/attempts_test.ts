// What was tried in a directory, and who is trying: notes that stand for a time, and a mark that stops nobody for ever.

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Attempt, Entries, LIMIT_MS, mark, sinceStart, tellStart, unmark } from "../../src/background/attempts.ts";
import { bytes, inDirectory, onlyEntry } from "../_tools.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Has a body work in a directory that a cache has made. */
function inRoot(body: (root: string, target: Target) => void): () => Promise<void> {
  return () =>
    inDirectory((directory) => {
      const root = `${directory}/v1`;
      for (const folder of ["locks", "tmp"]) mkdirSync(`${root}/${folder}`, { recursive: true, mode: 0o700 });
      body(root, { key: "ab".repeat(32), compileMs: 0, directory, root, options: LIMITS });
    });
}

type Target = ConstructorParameters<typeof Attempt>[1];

const LIMITS = { maxDiskBytes: 1e6, maxDiskAgeMs: 1e12, maxMemoryBytes: 1e6 };

/** Makes the clock show another time. */
function at<T>(laterMs: number, body: () => T): T {
  const { now } = Date;
  Date.now = () => now() + laterMs;
  try {
    return body();
  } finally {
    Date.now = now;
  }
}

test(
  "what fails is not tried again for a day",
  inRoot((_, target) => {
    const attempt = new Attempt("v8", target);
    assertStrictEquals(attempt.hindrance, undefined);
    attempt.note("V8 crashed");
    assertEquals([attempt.hindrance, new Attempt("v8", target).hindrance], ["V8 crashed", "V8 crashed"]);
    const hindrances = [LIMIT_MS * 2, DAY_MS - 1000, DAY_MS + 1000].map((ms) => at(ms, () => attempt.hindrance));
    assertEquals(hindrances, ["V8 crashed", "V8 crashed", undefined]);
    assertEquals(
      [new Attempt("other", target), new Attempt("v8", { ...target, key: "cd" })].map((each) => each.hindrance),
      [
        undefined,
        undefined,
      ],
    );
  }),
);

test(
  "what is tried is not tried by another, and again when nobody was heard of",
  inRoot((_, target) => {
    const attempt = new Attempt("v8", target);
    attempt.note();
    assertStrictEquals(typeof attempt.hindrance, "string");
    assertEquals([LIMIT_MS - 1000, LIMIT_MS + 1000, -DAY_MS].map((ms) => at(ms, () => typeof attempt.hindrance)), [
      "string",
      "undefined",
      "undefined",
    ]);
    attempt.end();
    assertStrictEquals(attempt.hindrance, undefined);
  }),
);

test(
  "a note that is damaged is none, and one without room is an error",
  inRoot((_, target) => {
    const attempt = new Attempt("v8", target);
    attempt.note("why");
    const path = onlyEntry(target.directory);
    writeFileSync(path, readFileSync(path).fill(7, 170));
    assertStrictEquals(attempt.hindrance, undefined);
    const options = { ...LIMITS, maxDiskBytes: 10 };
    assertThrows(() => new Attempt("v8", { ...target, options }).note(), Error, "maxDiskBytes");
  }),
);

test(
  "entries are written and read back, and make no directory",
  inRoot((root, target) => {
    const entries = new Entries("v8", target);
    entries.write(bytes("code"), bytes("artifact"));
    assertEquals(entries.read(bytes("code")), bytes("artifact"));
    assertStrictEquals(entries.read(bytes("other")), undefined);
    entries.remove(bytes("code"));
    assertStrictEquals(entries.read(bytes("code")), undefined);
    rmSync(root, { recursive: true });
    assertThrows(() => entries.write(bytes("code"), bytes("artifact")), Error, "Cannot");
    assertStrictEquals(existsSync(root), false);
  }),
);

test(
  "one works on a directory at a time",
  inRoot((root) => {
    assertEquals([mark(root), mark(root)], [true, false]);
    unmark(root);
    assertEquals([mark(root), mark(root)], [true, false]);
  }),
);

test(
  "a mark of any bytes stands no longer than work may take",
  inRoot((root) => {
    for (const old of [-2 * LIMIT_MS, 2 * LIMIT_MS]) {
      writeFileSync(`${root}/locks/v8`, "garbage".repeat(100));
      assertStrictEquals(mark(root), false);
      const seconds = (Date.now() + old) / 1000;
      utimesSync(`${root}/locks/v8`, seconds, seconds);
      assertEquals([mark(root), mark(root)], [true, false]);
      unmark(root);
    }
  }),
);

test(
  "what is no file in the place of the mark, or no directory, only means that nobody works",
  inRoot((root) => {
    mkdirSync(`${root}/locks/v8/not-empty`, { recursive: true });
    utimesSync(`${root}/locks/v8`, 1, 1);
    assertStrictEquals(mark(root), false);
    rmSync(`${root}/locks/v8/not-empty`, { recursive: true });
    utimesSync(`${root}/locks/v8`, 1, 1);
    assertEquals([mark(root), mark(root)], [true, false]);
    rmSync(root, { recursive: true });
    assertStrictEquals(mark(root), false);
    assertStrictEquals(existsSync(root), false);
  }),
);

test(
  "a program that starts is heard of, and keeps no mark young",
  inRoot((root) => {
    tellStart(root);
    assertThrows(() => sinceStart(root), Error, "ENOENT");
    mark(root);
    const seconds = (Date.now() - LIMIT_MS / 2) / 1000;
    utimesSync(`${root}/locks/v8`, seconds, seconds);
    assertEquals(sinceStart(root) > LIMIT_MS / 3, true);
    tellStart(root);
    assertEquals(sinceStart(root) < LIMIT_MS / 3, true);
    assertStrictEquals(at(LIMIT_MS / 2 + 1000, () => mark(root)), true);
  }),
);
