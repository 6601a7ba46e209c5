// The commands that look and tidy: each asks the cache, prints, and gives an exit code.

import { toHex } from "../bytes.ts";
import type { EntryInfo } from "../disk/inventory.ts";
import { HOUR_MS } from "../disk/prune.ts";
import { detectPlatform } from "../platform/detect.ts";
import { type Call, type Command, print } from "./call.ts";
import { doctor } from "./doctor.ts";
import { bar, type Column, lasting, sized, table } from "./screen.ts";
import { contentOf, exists } from "./system.ts";
import { warm } from "./warm.ts";

/** The commands by name. */
export const COMMANDS: Record<string, Command> = {
  warm: { options: ["concurrency"], takes: [1, Infinity], run: warm },
  ls: { takes: [0, 0], run: ls },
  info: { takes: [1, 1], run: info },
  stats: { takes: [0, 0], run: stats },
  verify: { options: ["dry-run"], takes: [0, 0], run: verify },
  prune: { options: ["dry-run", "max-bytes", "max-age"], takes: [0, 0], run: prune },
  clear: { options: ["dry-run"], takes: [0, 0], run: clear },
  dir: { takes: [0, 0], run: dir },
  doctor: { takes: [0, 1], run: doctor },
};

/** All entries, the last used first. */
async function entriesOf(call: Call): Promise<EntryInfo[]> {
  const found = [];
  for await (const entry of (await call.open({ engine: undefined })).list()) {
    call.signal?.throwIfAborted();
    found.push(entry);
  }
  return found.sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime() || (a.key < b.key ? -1 : 1));
}

const ENTRY_COLUMNS: readonly Column[] = [
  { head: "KEY" },
  { head: "SIZE", isNumber: true },
  { head: "COMPILE", isNumber: true },
  { head: "USED", isNumber: true },
  { head: "ENGINE", mayShrink: true },
];

function rowOf({ compileMs, engineId = "unreadable", key, lastUsed, size }: EntryInfo): string[] {
  const compile = compileMs === undefined ? "-" : lasting(compileMs);
  return [key.slice(0, 12), sized(size), compile, since(lastUsed), engineId];
}

/** How long ago, as precise as it is known. */
function since(used: Date): string {
  const ago = Date.now() - used.getTime();
  return ago < HOUR_MS ? "<1h ago" : `${lasting(ago)} ago`;
}

async function ls(call: Call): Promise<number> {
  const entries = await entriesOf(call);
  print(call, entries, () => entries.length === 0 ? ["No entries."] : [table(ENTRY_COLUMNS, entries.map(rowOf))]);
  return 0;
}

async function info(call: Call): Promise<number> {
  const [wanted = ""] = call.args;
  const isKey = /^[0-9a-f]{6,64}$/.test(wanted) && !exists(wanted);
  const digest = isKey ? undefined : toHex(await detectPlatform().sha256(contentOf(wanted)).async());
  const entries = (await entriesOf(call)).filter((entry) =>
    isKey ? entry.key.startsWith(wanted) : entry.codeDigest === digest
  );
  print(call, { codeDigest: digest, entries }, () => [
    ...(digest ? [`SHA-256  ${digest}`] : []),
    ...(entries.length === 0 ? ["No entries."] : entries.flatMap((entry) => [
      "",
      `key      ${entry.key}`,
      `engine   ${entry.engineId ?? "unreadable"}`,
      `code     ${entry.codeDigest ?? "unreadable"}`,
      `size     ${sized(entry.size)}`,
      `compile  ${entry.compileMs === undefined ? "unknown" : lasting(entry.compileMs)}`,
      `used     ${entry.lastUsed.toISOString()}`,
      `path     ${entry.path}`,
    ])),
  ]);
  return entries.length === 0 ? 1 : 0;
}

async function stats(call: Call): Promise<number> {
  const engines = new Map<string, { entries: number; bytes: number; compileMs: number; lastUsed: number }>();
  for (const { compileMs = 0, engineId = "unreadable", lastUsed, size } of await entriesOf(call)) {
    const sum = engines.get(engineId) ?? { entries: 0, bytes: 0, compileMs: 0, lastUsed: 0 };
    engines.set(engineId, {
      entries: sum.entries + 1,
      bytes: sum.bytes + size,
      compileMs: sum.compileMs + compileMs,
      lastUsed: Math.max(sum.lastUsed, lastUsed.getTime()),
    });
  }
  const rows = [...engines].map(([engineId, sum]) => ({ engineId, ...sum, lastUsed: new Date(sum.lastUsed) }));
  print(call, rows, () =>
    rows.length === 0 ? ["No entries."] : [
      table(
        [
          { head: "ENTRIES", isNumber: true },
          { head: "SIZE", isNumber: true },
          { head: "COMPILES TOOK", isNumber: true },
          { head: "USED", isNumber: true },
          { head: "ENGINE", mayShrink: true },
        ],
        rows.map(({ bytes, compileMs, engineId, entries, lastUsed }) => [
          String(entries),
          sized(bytes),
          lasting(compileMs),
          since(lastUsed),
          engineId,
        ]),
      ),
    ]);
  return 0;
}

async function verify(call: Call): Promise<number> {
  const { dryRun, screen, signal } = call;
  const progress = bar(screen, "verify");
  const cache = await call.open({ engine: undefined });
  let result;
  try {
    result = await cache.verify({ dryRun, signal, onProgress: ({ done, total }) => progress.at(done, total) });
  } finally {
    progress.end();
  }
  const { bytes, entries, findings } = result;
  print(call, result, () => [
    `${entries} entries, ${sized(bytes)}: ${
      findings.length === 0 ? "all are what was written" : `${findings.length} are not`
    }`,
    ...findings.map(({ kind, path, reason, removed }) => `${kind}${removed ? ", removed" : ""}: ${path}: ${reason}`),
  ]);
  return findings.length === 0 ? 0 : 1;
}

async function prune(call: Call): Promise<number> {
  const { dryRun } = call;
  const result = await (await call.open({ engine: undefined })).prune({ dryRun });
  const { bytes, entries, removedBytes, removedEntries } = result;
  print(call, result, () => [
    `${dryRun ? "would remove" : "removed"} ${removedEntries} entries, ${sized(removedBytes)}; ` +
    `${dryRun ? "would leave" : "left"} ${entries}, ${sized(bytes)}`,
  ]);
  return 0;
}

async function clear(call: Call): Promise<number> {
  const { dryRun } = call;
  const entries = await entriesOf(call);
  if (!dryRun) await (await call.open({ engine: undefined })).clear({ allEngines: true });
  const bytes = entries.reduce((sum, { size }) => sum + size, 0);
  print(call, { removedEntries: entries.length, removedBytes: bytes }, () => [
    `${dryRun ? "would remove" : "removed"} ${entries.length} entries, ${sized(bytes)}`,
  ]);
  return 0;
}

function dir(call: Call): Promise<number> {
  print(call, call.directory, () => [call.directory]);
  return Promise.resolve(0);
}
