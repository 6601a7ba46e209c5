// What the command line prints: tables of 80 columns, sizes, times, progress.

import { default as bytes } from "bytes";
import { default as progress } from "cli-progress";
import { default as Table } from "cli-table3";
import { default as ms } from "ms";

/** Where a command prints. */
export interface Screen {
  /** Prints a line of the result. */
  out(line: string): void;
  /** Prints a line that is not part of the result. */
  err(line: string): void;
  /** The terminal that progress is shown on; absent if there is none. */
  readonly terminal?: object;
}

/** The used part of the `process` global. */
export interface Streams {
  /** For results. */
  readonly stdout: { write(text: string): unknown };
  /** For all else. */
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

/** The screen of a process. */
export function screenOf({ stderr, stdout }: Streams): Screen {
  return {
    out: (line) => void stdout.write(`${line}\n`),
    err: (line) => void stderr.write(`${line}\n`),
    ...(stderr.isTTY ? { terminal: stderr } : {}),
  };
}

/** A size for people: `14.02MB`. */
export function sized(count: number): string {
  return bytes.format(count) ?? `${count}B`;
}

/** A duration for people: `250ms`, `3s`, `2d`. */
export function lasting(durationMs: number): string {
  return ms(durationMs < 10 ? Math.round(durationMs * 100) / 100 : Math.round(durationMs));
}

/**
 * A number of bytes, of a text like `500MB`.
 *
 * @throws {TypeError} When it is none.
 */
export function byteCount(name: string, text: string): number {
  const count = bytes.parse(text);
  if (count === null || Number.isNaN(count) || !/^\d+(\.\d+)? *([kmgtp]?b)?$/i.test(text)) {
    throw new TypeError(`--${name} must be a size like 500MB, not "${text}"`);
  }
  return count;
}

/**
 * A duration in ms, of a text like `7d`.
 *
 * @throws {TypeError} When it is none.
 */
export function duration(name: string, text: string): number {
  // A number alone would be milliseconds, which nobody means.
  const found = /^\d+(\.\d+)? *[a-z]+$/i.test(text) ? ms(text as "1d") as number | undefined : undefined;
  if (found === undefined || Number.isNaN(found)) {
    throw new TypeError(`--${name} must be a duration like 7d, not "${text}"`);
  }
  return found;
}

/** Text from a file or a directory, without what a terminal would take for a command. */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- those are meant
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}

/** JSON in which no character is left that a terminal would take for a command: those above 127 are not escaped yet. */
export function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f]/g, (each) => `\\u00${each.charCodeAt(0).toString(16)}`);
}

/** How wide a line may be, columns. */
export const WIDTH = 80;

/** The beginning of a text, where it is too long. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** A column of a table. */
export interface Column {
  /** Its heading. */
  readonly head: string;
  /** Numbers are on the right. */
  readonly isNumber?: boolean;
  /** Shortened where the table is too wide. */
  readonly mayShrink?: boolean;
}

const NO_LINES = Object.fromEntries(
  ["top", "bottom", "left", "right", "mid"].flatMap((line) =>
    ["", "-mid", "-left", "-right"].map((part) => [line + part, ""])
  ),
);

/** A table without lines, which fits 80 columns. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(plain));
  const widths = columns.map(({ head }, i) => Math.max(head.length, ...cells.map((row) => row[i]!.length)));
  const wide = columns.findIndex(({ mayShrink }) => mayShrink);
  const rest = widths.reduce((sum, width, i) => i === wide ? sum : sum + width + 2, 0);
  if (wide >= 0) widths[wide] = Math.max(8, Math.min(widths[wide]!, WIDTH - rest));
  const made = new Table({
    head: columns.map(({ head }) => head),
    chars: { ...NO_LINES, middle: "  " },
    colWidths: widths,
    colAligns: columns.map(({ isNumber }) => isNumber ? "right" : "left"),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  made.push(...cells.map((row) => [...row]));
  return String(made).replace(/ +$/gm, "");
}

/** A progress bar on a terminal; nothing where there is none. */
export function bar(screen: Screen, title: string): { at(done: number, total: number): void; end(): void } {
  if (!screen.terminal) return { at() {}, end() {} };
  const format = `${title} [{bar}] {value}/{total}`;
  const made = new progress.SingleBar({ format, stream: screen.terminal, clearOnComplete: true, barsize: 40 });
  let isStarted = false;
  return {
    at: (done: number, total: number) => {
      if (!isStarted) made.start(total, done);
      isStarted = true;
      made.setTotal(total);
      made.update(done);
    },
    end: () => made.stop(),
  };
}
