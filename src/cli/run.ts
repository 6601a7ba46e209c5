// The command line: reads the arguments, runs a command, gives the exit code. Knows no files.

import { ModuleCache } from "../cache.ts";
import { CacheError, systemCode } from "../errors.ts";
import { defaultDirectory, variable } from "../platform/environment.ts";
import type { Call, Command } from "./call.ts";
import { COMMANDS } from "./commands.ts";
import { chooseEngine } from "./engines.ts";
import { commandHelp, HELP } from "./help.ts";
import { byteCount, duration, plain, type Screen } from "./screen.ts";
import { contentOf, parseArgs } from "./system.ts";

/** Options of {@linkcode run}. */
export interface RunOptions {
  /**
   * Where it prints.
   *
   * @default the console
   */
  screen?: Screen;
  /** Ends the command. What it has written until then is whole. */
  signal?: AbortSignal;
}

/** Every option of every command; which of them a command takes, it says itself. */
const OPTIONS = {
  "concurrency": { type: "string" },
  "dir": { type: "string" },
  "dry-run": { type: "boolean" },
  "engine": { type: "string" },
  "help": { type: "boolean", short: "h" },
  "json": { type: "boolean" },
  "max-age": { type: "string" },
  "max-bytes": { type: "string" },
  "secret-file": { type: "string" },
  "version": { type: "boolean" },
} as const;

/** Options that every command takes. */
const COMMON = ["dir", "engine", "help", "json", "secret-file"];

/** Version of the package. */
const VERSION = "0.1.0";

const CONSOLE: Screen = { out: (line) => console.log(line), err: (line) => console.error(line) };

/**
 * Runs a command.
 *
 * @param args Its name and its arguments, as a shell passes them.
 * @param options Where it prints, and a signal.
 * @returns The exit code: 0; 1 if something was found, or failed; 2 if the arguments are wrong.
 */
export async function run(args: readonly string[], { screen = CONSOLE, signal }: RunOptions = {}): Promise<number> {
  let parsed;
  try {
    parsed = parse(args);
  } catch (error) {
    screen.err(`${(error as Error).message}\n\nwasm-module-cache --help says what there is.`);
    return 2;
  }
  const { name, command, values, positionals } = parsed;
  if (values.version) return printed(screen, VERSION);
  if (!command) return printed(screen, HELP);
  if (values.help) return printed(screen, commandHelp(name!));
  try {
    return await command.run(callOf(values, positionals, screen, signal));
  } catch (error) {
    if (signal?.aborted) return 1;
    screen.err(plain(error instanceof CacheError ? `${error.code}: ${error.message}` : (error as Error).message));
    return error instanceof Wrong ? 2 : 1;
  }
}

function printed(screen: Screen, text: string): number {
  screen.out(text);
  return 0;
}

/** Wrong arguments. */
class Wrong extends TypeError {}

type Values = ReturnType<typeof parsedArgs>["values"];

function parsedArgs(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
}

function parse(args: readonly string[]): { name?: string; command?: Command; values: Values; positionals: string[] } {
  const { values, positionals: [name, ...positionals] } = parsedArgs(args);
  if (name === undefined) return { values, positionals };
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new Wrong(`There is no command "${name}".`);
  const foreign = Object.keys(values).find((option) => ![...COMMON, ...command.options ?? []].includes(option));
  if (foreign) throw new Wrong(`"${name}" takes no --${foreign}.`);
  const [least, most] = command.takes;
  if (!values.help && (positionals.length < least || positionals.length > most)) {
    throw new Wrong(`"${name}" takes ${most === 0 ? "no arguments" : commandHelp(name).split("\n")[0]}.`);
  }
  return { name, command, values, positionals };
}

/** Wraps what a wrong argument throws. */
function checked<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof TypeError || error instanceof RangeError ? new Wrong(error.message) : error;
  }
}

function callOf(
  values: Values,
  args: readonly string[],
  screen: Screen,
  signal: AbortSignal | undefined,
): Call {
  const directory = values.dir ?? defaultDirectory();
  if (directory === undefined) throw new Wrong("No default directory is known here: name one with --dir.");
  const maxBytes = values["max-bytes"];
  const maxAge = values["max-age"];
  const limits = checked(() => ({
    ...(maxBytes === undefined ? {} : { maxDiskBytes: byteCount("max-bytes", maxBytes) }),
    ...(maxAge === undefined ? {} : { maxDiskAgeMs: duration("max-age", maxAge) }),
  }));
  const concurrency = Number(values.concurrency ?? 1);
  if (!Number.isInteger(concurrency) || concurrency < 1) throw new Wrong("--concurrency must be 1 or more.");
  const secret = secretIn(values["secret-file"] ?? variable("WASM_CACHE_SECRET_FILE"));
  const engine = () =>
    chooseEngine(values.engine ?? variable("WASM_CACHE_ENGINE") ?? "auto").catch((error) => {
      throw error instanceof TypeError ? new Wrong(error.message) : error;
    });
  const open: Call["open"] = async (more = {}) => {
    const options = { directory, secret, ...limits, strict: true, ...more };
    const chosen = "engine" in more ? undefined : (await engine()).engine;
    return checked(() => new ModuleCache({ engine: chosen, ...options }));
  };
  return {
    args,
    concurrency,
    directory,
    dryRun: values["dry-run"] ?? false,
    engine,
    json: values.json ?? false,
    open,
    screen,
    signal,
  };
}

function secretIn(path: string | undefined): Uint8Array | undefined {
  try {
    return path === undefined ? undefined : contentOf(path);
  } catch (error) {
    throw new Wrong(`--secret-file ${path} cannot be read: ${systemCode(error)}`);
  }
}
