// Processes that run a script on any runtime: started, let go together, killed, and read to their end. Knows no cache.

import { ROOT, type Runtime } from "../tools.ts";

/** How a process ended. */
export interface Ended {
  /** What it exited with; of a signal, 128 and more. */
  readonly code: number;
  /** What it was killed by, if it was. */
  readonly signal: string | null;
  /** Lines of its output. */
  readonly lines: readonly string[];
  /** What it complained of. */
  readonly stderr: string;
}

/** Options of {@linkcode Load}. */
export interface LoadOptions {
  /** Gets each line of the output as it comes. */
  onLine?: (line: string) => void;
  /** How long it may take, ms; then it is killed, and its end is a fault. */
  limitMs?: number;
}

/** The line that a script prints when it waits for {@linkcode Load.go}. */
export const READY = "ready";

/** Lines that are told of what a process complained of: a stack is of no use here. */
const MAX_LINES = 4;

/** Directory of the scripts. */
const SCRIPTS = `${ROOT}/dev/load`;

/** A process with a load to carry: it makes itself ready, waits until its input is closed, and goes. */
export class Load {
  /** What runs it. */
  readonly runtime: Runtime;
  /** Number of the process. */
  readonly pid: number;
  /** Resolves when it waits to be let go, or ended before. */
  readonly ready: Promise<void>;
  /** Resolves when it ended and its output is read. */
  readonly ended: Promise<Ended>;
  readonly #child: Deno.ChildProcess;
  readonly #wanted: { start: string; resolve: () => void }[] = [];
  readonly #lines: string[] = [];

  /**
   * Starts it.
   *
   * @param script Name of a file next to this one.
   * @param plan What the script gets as its argument, as JSON.
   */
  constructor(runtime: Runtime, script: string, plan: unknown, { onLine, limitMs = 60_000 }: LoadOptions = {}) {
    const [program = "", ...before] = runtime.command;
    this.runtime = runtime;
    this.#child = new Deno.Command(program, {
      args: [...before, `${SCRIPTS}/${script}`, JSON.stringify(plan)],
      cwd: ROOT,
      env: { DENO_NO_PACKAGE_JSON: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.ready = this.said(READY);
    this.ended = this.#end(limitMs, onLine);
  }

  /** Lets it go. */
  async go(): Promise<void> {
    try {
      await this.#child.stdin.close();
    } catch {
      // It ended before, and its end tells why.
    }
  }

  /** Resolves when it has printed a line that starts so, or ended without it. */
  said(start: string): Promise<void> {
    if (this.#lines.some((line) => line.startsWith(start))) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted.push({ start, resolve });
    return promise;
  }

  /** Kills it with SIGKILL, which no program can answer; whether that hit it alive its end tells. */
  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It ended before.
      if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async #end(limitMs: number, onLine = (_line: string) => {}): Promise<Ended> {
    let late = "";
    const timer = setTimeout(() => {
      late = `killed after ${limitMs} ms`;
      this.kill();
    }, limitMs);
    const errors = new Response(this.#child.stderr).text();
    await this.#read(onLine);
    const stderr = await errors;
    const { code, signal } = await this.#child.status;
    clearTimeout(timer);
    for (const { resolve } of this.#wanted) resolve();
    await this.go();
    return { code, signal, lines: this.#lines, stderr: withoutProgress(stderr) + late };
  }

  async #read(onLine: (line: string) => void): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.#lines.push(line);
        for (const { start, resolve } of this.#wanted) if (line.startsWith(start)) resolve();
        onLine(line);
      }
    }
  }
}

/** Tells what is wrong with the end of a process that was to succeed. */
export function faultOf({ runtime }: Load, { code, signal, stderr }: Ended): string[] {
  if (code === 0 && stderr === "") return [];
  // deno-lint-ignore no-control-regex -- colours of the runtimes
  const message = stderr.replace(/\x1b\[[0-9;]*m/g, "").split("\n").slice(0, MAX_LINES).join("\n    ");
  return [`${runtime.name} ended with ${signal ?? code}: ${message || "no message"}`];
}

/** Lets processes go at once, when all are ready. */
export async function goTogether(loads: readonly Load[]): Promise<void> {
  await Promise.all(loads.map(({ ready }) => ready));
  await Promise.all(loads.map((load) => load.go()));
}

/** Without what Deno says while it loads packages for the first time. */
function withoutProgress(stderr: string): string {
  return stderr.replace(/^.*(Check|Download).*$/gm, "").trim();
}

/** Runs a body with a directory of its own. */
export async function inScratch<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = await Deno.makeTempDir({ prefix: "wasm-module-cache-load-" });
  try {
    return await body(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
