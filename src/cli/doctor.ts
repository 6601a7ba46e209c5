// Says what works here: runtime, engine, directory, locks; tries a round trip, and measures what a hit gains.

import { join } from "../bytes.ts";
import { ModuleCache } from "../cache.ts";
import { keepsCode } from "../engine/calls.ts";
import { detectPlatform } from "../platform/detect.ts";
import { type Call, print } from "./call.ts";
import { cut, lasting, WIDTH } from "./screen.ts";
import { contentOf, runtimeName, withFolder } from "./system.ts";

/** How often each kind of lookup is measured; the median counts. */
const ROUNDS = 5;

/** What was found. */
interface Report {
  readonly runtime: string;
  readonly engine: string;
  readonly engineId: string;
  readonly engineReason?: string;
  readonly directory: string;
  readonly disk: string;
  readonly diskReason?: string;
  readonly locks: string;
  readonly module: string;
  readonly from: string;
  readonly storesCode: boolean;
  readonly coldMs: number;
  readonly memoryMs: number;
  readonly diskMs: number;
  readonly problems: readonly string[];
}

/** Runs the command. */
export async function doctor(call: Call): Promise<number> {
  const report = await reportOf(call);
  print(call, report, () => linesOf(report));
  return report.problems.length === 0 ? 0 : 1;
}

async function reportOf(call: Call): Promise<Report> {
  const { directory } = call;
  const { engine, name, reason } = await call.engine();
  const problems: string[] = [];
  const { disk, reason: diskReason } = (await call.open({ strict: false, onWarning: () => {} })).status();
  if (disk !== "read-write") problems.push(`the directory is not read and written: ${diskReason}`);
  const [file] = call.args;
  const code = file === undefined ? madeModule() : contentOf(file);
  return await withFolder(async (folder) => {
    const fresh = (round: number) => new ModuleCache({ engine, directory: `${folder}/${round}`, strict: true });
    const [colds, memories, disks]: [number[], number[], number[]] = [[], [], []];
    let from = "";
    for (let round = 0; round < ROUNDS; round++) {
      call.signal?.throwIfAborted();
      // No engine has seen these bytes.
      const variant = variantOf(code, round);
      const cache = fresh(round);
      colds.push((await cache.resolve(variant)).elapsedMs);
      memories.push((await cache.resolve(variant)).elapsedMs);
      await cache.warm([variant]);
      await cache.flush();
      const found = await fresh(round).resolve(variant);
      disks.push(found.elapsedMs);
      from = found.from;
    }
    if (from !== "disk") problems.push(`what was written came back as "${from}"`);
    return {
      runtime: runtimeName(),
      engine: name,
      engineId: engine.id,
      engineReason: reason,
      directory,
      disk,
      diskReason,
      locks: locksHere(),
      module: file ?? "one of its own",
      from,
      storesCode: keepsCode(engine),
      coldMs: median(colds),
      memoryMs: median(memories),
      diskMs: median(disks),
      problems,
    };
  });
}

function linesOf(report: Report): string[] {
  const { coldMs, diskMs, memoryMs } = report;
  const gain = (ms: number) => `${lasting(ms)}, ${(coldMs / ms).toFixed(1)} × as fast`;
  return [
    `runtime    ${report.runtime}`,
    `engine     ${report.engine}`,
    `           ${cut(report.engineId, WIDTH - 11)}`,
    ...(report.engineReason ? [`           ${report.engineReason}`] : []),
    `directory  ${report.directory}`,
    `           ${report.disk}${report.diskReason ? `: ${report.diskReason}` : ""}`,
    `locks      ${report.locks}`,
    `module     ${report.module}`,
    `cold       ${lasting(coldMs)}`,
    `memory     ${gain(memoryMs)}`,
    `disk       ${
      report.storesCode ? `${lasting(diskMs)}, compiled again: this engine stores the code itself` : gain(diskMs)
    }`,
    ...report.problems.map((problem) => `PROBLEM    ${problem}`),
  ];
}

function locksHere(): string {
  const { files } = detectPlatform();
  if (files?.tryLock) return "flock(2)";
  return files?.tryLockAsync ? "sockets, for asynchronous lookups" : "none: processes may compile the same code twice";
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

/** The same module with a custom section at the end. */
function variantOf(code: Uint8Array, number: number): Uint8Array<ArrayBuffer> {
  return join(code, Uint8Array.of(0, 3, 1, 118, number));
}

/** A module of 500 functions that each add 200 numbers. */
function madeModule(): Uint8Array<ArrayBuffer> {
  const leb = (value: number): number[] => value < 128 ? [value] : [value & 127 | 128, ...leb(value >> 7)];
  const bytes = (...numbers: number[]) => Uint8Array.from(numbers);
  const section = (id: number, ...parts: Uint8Array[]) => {
    const content = join(...parts);
    return join(bytes(id, ...leb(content.length)), content);
  };
  const count = 500;
  const bodies = Array.from({ length: count }, (_, i) => {
    const adds = Array.from({ length: 200 }, (_, j) => [0x41, (i * j) % 64, 0x6a]).flat();
    const body = bytes(0, 0x20, 0, ...adds, 0x0b);
    return join(bytes(...leb(body.length)), body);
  });
  return join(
    bytes(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0),
    section(1, bytes(1, 0x60, 1, 0x7f, 1, 0x7f)),
    section(3, bytes(...leb(count)), new Uint8Array(count)),
    section(7, bytes(1, 3, 97, 100, 100, 0, 0)),
    section(10, bytes(...leb(count)), ...bodies),
  );
}
