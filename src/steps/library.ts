// Holds a step to the library that its id names.

/**
 * Refuses a library of another version: what it makes would be kept under the wrong name.
 *
 * @param about The library's own package.json.
 * @param name Its name.
 * @param wanted The version that the step's id names.
 * @throws {Error} When it is another one.
 */
export function checkVersion(about: { version?: string }, name: string, wanted: string): void {
  if (about.version !== wanted) throw new Error(`Cannot use ${name} ${about.version}: the step names ${wanted}`);
}
