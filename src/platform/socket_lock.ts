// A lock for Node without flock(2): a Unix socket that listens in the folder of locks. It dies with its process; the
// file that is left refuses connections, and is removed. Linux only, and asynchronous only.

import type { Server } from "node:net";
import type { Effect } from "../effect.ts";
import { systemCode } from "../errors.ts";
import { crypto } from "./globals.ts";
import { builtin } from "./node_builtins.ts";
import type { Lock } from "./platform.ts";

/** What is taken where no socket can listen: the lock only saves work. */
const NOTHING: Lock = { release() {} };

/** As `Files.tryLockAsync`. */
export function socketLock(path: string): Effect<Lock | undefined> {
  return { name: "lock", sync: () => undefined, async: () => take(path) };
}

async function take(path: string): Promise<Lock | undefined> {
  const { closeSync, constants, openSync } = builtin("node:fs");
  const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
  const end = path.lastIndexOf("/");
  const descriptor = openSync(path.slice(0, end), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    // A socket's path has at most 107 bytes: through the descriptor it is short.
    return await takeIn(`/proc/self/fd/${descriptor}`, path.slice(end + 1), path);
  } catch {
    return NOTHING;
  } finally {
    try {
      closeSync(descriptor);
    } catch {
      // Whatever the error, the descriptor is gone.
    }
  }
}

/**
 * Takes a lock. Each has a socket of its own, and shows it before the last look: of two at once, at least one sees the
 * other.
 *
 * @param path Its path without the descriptor, which is closed when the lock is released.
 */
async function takeIn(folder: string, name: string, path: string): Promise<Lock | undefined> {
  const { renameSync, unlinkSync } = builtin("node:fs");
  if (await isHeld(folder, name)) return undefined;
  const id = crypto.randomUUID();
  const own = `${name}-${id}`;
  // Under another name until it listens: before, it would be taken for dead.
  const server = await listen(`${folder}/new-${own}`);
  const release = () => {
    try {
      unlinkSync(`${path}-${id}`);
    } finally {
      server.close();
    }
  };
  let isLocked = false;
  try {
    renameSync(`${folder}/new-${own}`, `${folder}/${own}`);
    isLocked = !(await isHeld(folder, name, own));
  } finally {
    if (!isLocked) release();
  }
  return isLocked ? { release } : undefined;
}

/** Whether another's socket lives. Removes those that do not: no name is used twice. */
async function isHeld(folder: string, name: string, own?: string): Promise<boolean> {
  const { readdirSync, rmSync } = builtin("node:fs");
  for (const other of readdirSync(folder)) {
    if (!other.startsWith(`${name}-`) || other === own) continue;
    if (await isAlive(`${folder}/${other}`)) return true;
    rmSync(`${folder}/${other}`, { force: true });
  }
  return false;
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = builtin("node:net").createServer((connection) => connection.destroy()).on("error", reject);
    // Not by the primary of a cluster, which would share it.
    server.listen({ path, exclusive: true }, () => resolve(server)).unref();
  });
}

/** Whether a process listens: one that is busy takes connections later, but they are not refused. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = builtin("node:net").connect(path, () => {
      connection.destroy();
      resolve(true);
    });
    connection.on("error", (error) => resolve(!["ECONNREFUSED", "ENOENT"].includes(systemCode(error)!)));
  });
}
