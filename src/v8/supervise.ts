// Makes entries in a process that nobody waits for.

import { ModuleCache } from "../cache.ts";
import { builtin, nodeProcess } from "../platform/node_files.ts";
import { type Order, readOrders } from "./order.ts";
import { isProbe } from "./probe.ts";
import { Proof } from "./proof.ts";
import { thoroughEngine } from "./thorough.ts";

/**
 * Carries orders out one after another, when nobody else needs the processor: the first list at once, the second when
 * whoever wrote it has let go of this process's input, if only by dying.
 */
export async function supervise(descriptor: number): Promise<void> {
  const first = readOrders(descriptor, 0);
  await carryOutAll(first.orders);
  await inputEnds();
  if (builtin("node:fs").fstatSync(descriptor).size > first.end) {
    await carryOutAll(readOrders(descriptor, first.end).orders);
  }
}

function inputEnds(): Promise<void> {
  return new Promise((resolve) => nodeProcess().stdin.on("close", resolve).resume());
}

async function carryOutAll(orders: readonly Order[]): Promise<void> {
  // A failure leaves things as they were; there is nobody to tell, and the other orders are not worse for it.
  for (const order of orders) await carryOut(order).catch(() => {});
}

async function carryOut({ entry, code, ...goal }: Order): Promise<void> {
  const { directory, root, lock, secret, limits } = entry!;
  const release = tryLock(`${root}/locks`, lock);
  if (!release) return;
  const options = {
    maxDiskBytes: limits.maxDiskBytes ?? Infinity,
    maxDiskAgeMs: limits.maxDiskAgeMs ?? Infinity,
    ...(secret ? { secret: fromHex(secret) } : {}),
  };
  try {
    if (isProbe(code)) return await new Proof(goal.id, { directory, root, options }).find();
    const cache = new ModuleCache({ ...options, directory, engine: thoroughEngine(goal), onWarning: () => {} });
    await cache.resolve(code);
  } finally {
    release();
  }
}

/**
 * Takes a lock that the system gives back when this process dies, without waiting; `undefined` where another has it.
 *
 * Node has no flock before 26. SQLite's lock does where nothing else of the process opens the file: here it is so.
 */
function tryLock(folder: string, name: string): (() => void) | undefined {
  const { closeSync, mkdirSync, openSync } = builtin("node:fs");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = `${folder}/${name}`;
  closeSync(openSync(path, "a", 0o600));
  const database = new (builtin("node:sqlite").DatabaseSync)(path);
  try {
    // No second file: it would stay behind when this process is killed.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return () => database.close();
  } catch {
    database.close();
  }
}

function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
