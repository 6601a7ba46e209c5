// Node: hashing by `node:crypto`, files by `node:fs`, locks by flock(2) through `node:ffi` from Node 26 on, by
// sockets before.

import { builtin, nodeProcess } from "./node_builtins.ts";
import { hasNodeFfi, nodeFfi } from "./node_ffi.ts";
import { flock, type LockCalls } from "./flock.ts";
import { nodeFiles } from "./node_files.ts";
import type { Platform } from "./platform.ts";
import { socketLock } from "./socket_lock.ts";
import { nativeHasher, nativeHmacSha256, nativeSha256, webPlatform } from "./web.ts";

interface NodeFfi {
  dlopen(library: string, symbols: Record<string, { arguments: string[]; return: string }>): {
    functions: { flock(descriptor: number, operation: number): number };
  };
}

/** The platform of Node. */
export function nodePlatform(): Platform {
  const isLinux = nodeProcess().platform === "linux";
  const nodeCrypto = () => builtin("node:crypto");
  return {
    ...webPlatform,
    name: "node",
    channel: (name) => builtin("node:diagnostics_channel").channel(name),
    files: hasNodeFfi()
      ? nodeFiles(flock(loadCalls))
      : { ...nodeFiles(), ...(isLinux ? { tryLockAsync: socketLock } : {}) },
    sha256: nativeSha256((bytes) => nodeCrypto().hash("sha256", bytes, "buffer")),
    hasher: () => nativeHasher(nodeCrypto().createHash("sha256")),
    hmacSha256: nativeHmacSha256((key, bytes) => nodeCrypto().createHmac("sha256", key).update(bytes).digest()),
  };
}

function loadCalls(library: string): LockCalls {
  const { functions } = nodeFfi<NodeFfi>().dlopen(library, { flock: { arguments: ["i32", "i32"], return: "i32" } });
  // Node clears errno before a second call could read it (seen on 26.10).
  return { flock: functions.flock, errno: () => 0 };
}
