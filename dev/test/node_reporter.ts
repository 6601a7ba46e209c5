// Node's test runner prints failures only: what each failed with, and all that a file printed which came to no end.

import { inspect } from "node:util";

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly nesting: number;
    readonly file?: string;
    readonly message?: string;
    readonly details?: { readonly error?: Error };
  };
}

/** Failures as they come, and the counts at the end. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  /** By the path that the runner was given, which is the name of a file that fails. */
  const printed = new Map<string | undefined, string>();
  for await (const { type, data: { name, nesting, file, message, details } } of events) {
    if (type === "test:stdout" || type === "test:stderr") printed.set(file, (printed.get(file) ?? "") + message);
    if (type === "test:diagnostic" && nesting === 0) yield `# ${message}\n`;
    if (type !== "test:fail") continue;
    const error = details?.error;
    // A file that crashed, or ended early: the cause says nothing, the error has its code and signal.
    if (file?.endsWith(name)) yield `FAILED ${name}\n${inspect(error)}\n${printed.get(name) ?? ""}\n`;
    else yield `FAILED ${file}: ${name}\n${inspect(error?.cause ?? error)}\n\n`;
  }
}
