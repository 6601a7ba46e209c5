// Properties of the runtime's own classes that also serve native objects. Knows no class.

/** A property that is to be replaced. */
export interface Replacement {
  /** What has it. */
  readonly holder: object;
  /** Its name. */
  readonly name: string;
  /** What of it is to be another. */
  readonly changed: Pick<PropertyDescriptor, "get" | "set" | "value">;
}

/** Any function. */
export type AnyCall = (...given: unknown[]) => unknown;

/** Calls that serve native objects, by the key of the descriptor that has them. */
export type Served = Partial<Record<"get" | "set" | "value", unknown>>;

/**
 * All calls of a holder, each with another before it. The rest, names and lengths too, stays as it is.
 *
 * @param servedBy What serves a call: `undefined` where the runtime does.
 */
export function bridged(
  holder: object,
  servedBy: (name: string, self: unknown, given: unknown[]) => Served | undefined,
): Replacement[] {
  return Object.entries(Object.getOwnPropertyDescriptors(holder)).flatMap(([name, descriptor]) => {
    if (name === "constructor") return [];
    const calls = (["get", "set", "value"] as const).filter((key) => typeof descriptor[key] === "function");
    const replaced = calls.map((key) => [key, bridge(descriptor[key] as AnyCall, name, key, servedBy)]);
    return replaced.length > 0 ? [{ holder, name, changed: Object.fromEntries(replaced) }] : [];
  });
}

function bridge(
  call: AnyCall,
  name: string,
  key: "get" | "set" | "value",
  servedBy: (name: string, self: unknown, given: unknown[]) => Served | undefined,
): AnyCall {
  return new Proxy(call, {
    apply: (target, self, given) => {
      const served = servedBy(name, self, given);
      if (!served) return Reflect.apply(target, self, given);
      const own = served[key];
      if (typeof own !== "function") throw new TypeError(`Cannot use ${name}: Wasmtime does not have it`);
      return Reflect.apply(own as AnyCall, self, given);
    },
  });
}

/** A class whose objects are made by another function, with the class itself for its properties. */
export function classReplacements(
  name: string,
  original: { new (...given: never[]): object; readonly prototype: object },
  construct: (given: unknown[], newTarget: AnyCall) => object,
): Replacement[] {
  const value = new Proxy(original, {
    construct: (_target, given, newTarget) => construct(given, newTarget as AnyCall),
  });
  return [
    { holder: globalThis.WebAssembly, name, changed: { value } },
    { holder: original.prototype, name: "constructor", changed: { value } },
  ];
}
