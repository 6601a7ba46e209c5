// Preloaded on Deno, which goes on with exit code 0 when a file throws at its top level after its first test.

for (const type of ["error", "unhandledrejection"]) {
  globalThis.addEventListener(type, (event) => {
    console.error(type, "error" in event ? event.error : (event as PromiseRejectionEvent).reason);
    (globalThis as unknown as { Deno: { exit(code: number): never } }).Deno.exit(1);
  });
}
