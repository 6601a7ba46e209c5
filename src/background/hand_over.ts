// Starts a process that lives on when this one ends, with its orders.

import type { ChildProcess } from "node:child_process";
import { crypto } from "../platform/globals.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { checkFolder, type EntryOrder, partsOf } from "./orders.ts";

/**
 * Starts a process, and lets it go. Its orders are in a file without a name, so that nothing is left whoever dies.
 *
 * @param folder For that file, and for the process to stand in; nobody else's.
 * @param start Starts it. Gets the descriptor of its standard input.
 */
export function handOver(orders: readonly EntryOrder[], folder: string, start: (file: number) => ChildProcess): void {
  checkFolder(folder);
  const { closeSync, openSync, unlinkSync, writevSync } = builtin("node:fs");
  const path = `${folder}/${nodeProcess().pid}-${crypto.randomUUID()}`;
  const file = openSync(path, "wx+", 0o600);
  try {
    unlinkSync(path);
    // There and not further: it is read from where the file stands.
    writevSync(file, partsOf(orders), 0);
    const child = start(file);
    // To start it may fail, and nobody is waiting.
    child.on("error", () => {});
    child.unref();
  } finally {
    closeSync(file);
  }
}
