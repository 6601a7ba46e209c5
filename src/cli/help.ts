// What the command line says of itself.

const OPTIONS = `  --dir PATH          the directory (WASM_CACHE_DIR, or your cache folder)
  --engine NAME       auto, host, v8, wasmtime (WASM_CACHE_ENGINE, or auto)
  --secret-file PATH  the secret that entries are signed with
  --json              one JSON value instead of text
  -h, --help          says more about a command`;

/** What there is. */
export const HELP = `wasm-module-cache COMMAND [OPTIONS]

  warm FILE|URL|GLOB...  make entries ahead of the programs that need them
  ls                     list the entries, the last used first
  info FILE|KEY          say what is known of a module or an entry
  stats                  sum up what each engine has in the directory
  verify                 check all of every entry, remove damaged ones
  prune                  remove what is unused or beyond the limit
  clear                  remove every entry
  dir                    print the directory
  doctor [FILE]          say what works here, and what a hit gains

${OPTIONS}
  --version           prints the version

Exit code: 0; 1 if something was found or failed; 2 for wrong arguments.`;

const COMMANDS: Record<string, string> = {
  warm: `warm FILE|URL|GLOB... [--concurrency N]

Makes the best entry that the engine can make, and waits for it.

  wasm-module-cache warm app.wasm 'plugins/*.wasm'
  wasm-module-cache warm https://example.com/app.wasm`,
  ls: `ls

Lists the entries of all engines, the last used first.

  wasm-module-cache ls --dir /var/cache/app`,
  info: `info FILE|KEY

Says what is known of a module's entries, or of an entry whose key begins so.

  wasm-module-cache info app.wasm
  wasm-module-cache info 3dc8744f`,
  stats: `stats

Sums up the entries of each engine.

  wasm-module-cache stats --json`,
  verify: `verify [--dry-run]

Reads every entry and checks that it is what was written. Damaged ones are
removed, unless --dry-run is given. Exit code 1 if anything is wrong.

  wasm-module-cache verify --dry-run`,
  prune: `prune [--dry-run] [--max-bytes SIZE] [--max-age TIME]

Removes entries unused for longer than the age (30d), and then the least
recently used down to four fifths of the size (1GB).

  wasm-module-cache prune --max-bytes 500MB --max-age 7d`,
  clear: `clear [--dry-run]

Removes every entry, of all engines.

  wasm-module-cache clear`,
  dir: `dir

Prints the directory.

  ls $(wasm-module-cache dir)`,
  doctor: `doctor [FILE]

Says which runtime and engine this is, whether the directory works, and what
a hit gains, measured now with a module of its own or FILE.

  wasm-module-cache doctor app.wasm`,
};

/** What a command does, its options, and an example. */
export function commandHelp(name: string): string {
  return `${COMMANDS[name]}\n\n${OPTIONS}`;
}
