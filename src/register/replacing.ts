// Properties that are replaced, and put back. Knows nothing of what they are.

/** A property that is to be replaced. */
export interface Replacement {
  /** What has it. */
  readonly holder: object;
  /** Its name. */
  readonly name: string;
  /** What of it is to be another. */
  readonly changed: Pick<PropertyDescriptor, "get" | "set" | "value">;
}

interface Replaced extends Replacement {
  readonly before: PropertyDescriptor;
}

/** Everything that is replaced now. */
let replaced: readonly Replaced[] = [];

/**
 * Replaces properties where there are such. Returns whether that was possible: all or none are.
 *
 * @param isKept They are never put back.
 */
export function replace(wanted: readonly Replacement[], { isKept = false }: { isKept?: boolean } = {}): boolean {
  const found = wanted.flatMap((each): Replaced[] => {
    const before = Object.getOwnPropertyDescriptor(each.holder, each.name);
    // Ours may still be there, if the namespace was frozen around it.
    return before && !isOurs(each) ? [{ ...each, before }] : [];
  });
  // A frozen namespace stays as it is, as a whole.
  const canAll = found.every(({ before, changed }) =>
    before.configurable && Object.keys(changed).every((key) => key in before)
  );
  if (!canAll) return false;
  for (const { holder, name, changed } of found) Reflect.defineProperty(holder, name, changed);
  if (!isKept) replaced = [...replaced, ...found];
  return true;
}

/** Puts everything back that is still ours and can be. */
export function putBackAll(): void {
  replaced = replaced.filter((each) => isOurs(each) && !putBack(each));
}

function isOurs({ holder, name, changed }: Replacement): boolean {
  const now = Object.getOwnPropertyDescriptor(holder, name) ?? {};
  return Object.entries(changed).every(([key, value]) => now[key as keyof PropertyDescriptor] === value);
}

function putBack({ holder, name, before, changed }: Replaced): boolean {
  // The class and its prototype name each other, whichever class it is.
  if (
    name === "constructor" &&
    Object.values(Object.getOwnPropertyDescriptors(WebAssembly)).some(({ value }) => value === changed.value)
  ) {
    return false;
  }
  const { get, set, value } = before;
  return Reflect.defineProperty(holder, name, "value" in before ? { value } : { get, set });
}
