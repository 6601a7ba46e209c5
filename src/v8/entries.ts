// Makes entries, in a process that does nothing else.

import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { openContext } from "../context.ts";
import { runAsync } from "../effect.ts";
import { lookup } from "../lookup.ts";
import { makerEngine } from "./make.ts";
import { checkFolder, type Order, readOrders } from "./order.ts";
import { isProbe } from "./probe.ts";
import { Proof } from "./proof.ts";

/** How often to ask for a lock, ms. */
const LOCK_TICK_MS = 100;

/**
 * Carries orders out one after another: the first list at once, the second when whoever wrote it has let go of this
 * process's input, if only by dying.
 */
export async function supervise(descriptor: number): Promise<void> {
  const first = readOrders(descriptor, 0);
  await tryAll(first.orders);
  await inputEnds();
  if (builtin("node:fs").fstatSync(descriptor).size > first.end) {
    await tryAll(readOrders(descriptor, first.end).orders);
  }
}

function inputEnds(): Promise<void> {
  return new Promise((resolve) => nodeProcess().stdin.on("close", resolve).resume());
}

async function tryAll(orders: readonly Order[]): Promise<void> {
  // A failure leaves things as they were; there is nobody to tell, and the other orders are not worse for it.
  for (const order of orders) await carryOut(order, { waits: false }).catch(() => {});
}

/**
 * Carries an order out: proves that the engine works, and makes the entry, while no other process does.
 *
 * @param options `waits`: for another process that is at work; otherwise the order is left to whoever comes next.
 * @throws {Refused} When V8 does not do what is needed.
 * @throws {Error} When the entry cannot be made.
 */
export async function carryOut({ entry, code, ...goal }: Order, { waits }: { waits: boolean }): Promise<void> {
  const { directory, root, secret, limits } = entry!;
  checkFolder(`${root}/locks`);
  const release = await lock(`${root}/locks/v8`, waits);
  if (!release) return;
  const options = {
    maxDiskBytes: limits.maxDiskBytes ?? Infinity,
    maxDiskAgeMs: limits.maxDiskAgeMs ?? Infinity,
    ...(secret ? { secret: fromHex(secret) } : {}),
  };
  try {
    await new Proof(goal.id, { directory, root, options }).find();
    if (isProbe(code)) return;
    const settings = { ...options, directory, engine: makerEngine(goal), strict: true };
    await runAsync(lookup(openContext(settings, undefined, { mustExist: true }), code));
  } finally {
    release();
  }
}

/** Takes a lock that the system gives back when this process dies; `undefined` where another has it. */
async function lock(path: string, waits: boolean): Promise<(() => void) | undefined> {
  for (;;) {
    const release = tryLock(path);
    if (release || !waits) return release;
    await new Promise((resolve) => setTimeout(resolve, LOCK_TICK_MS));
  }
}

/**
 * Node has no flock before 26. SQLite's lock does where nothing else of the process opens the file: here it is so. SQLite
 * would follow a link, but nobody else can put one into the folder.
 */
function tryLock(path: string): (() => void) | undefined {
  const { closeSync, constants: { O_CREAT, O_NOFOLLOW, O_RDWR }, openSync } = builtin("node:fs");
  closeSync(openSync(path, O_RDWR | O_CREAT | (O_NOFOLLOW ?? 0), 0o600));
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
