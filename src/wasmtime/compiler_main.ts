// Program of the processes that compile by Cranelift. Its role is its argument, its orders come by standard input; an
// artifact goes to standard output. Never imported.

import { Entries } from "../background/attempts.ts";
import { ordersIn } from "../background/orders.ts";
import { supervise } from "../background/supervisor.ts";
import type { Bytes } from "../engine/calls.ts";
import { native } from "../engine/runtime.ts";
import { builtin, nodeProcess } from "../platform/node_builtins.ts";
import { type Compiled, Compiler } from "./compiler.ts";
import { identityOf } from "./identity.ts";
import { openLibrary } from "./open.ts";
import { type Order, REFUSED, type Role } from "./order.ts";

const { readFileSync, writeSync } = builtin("node:fs");

function compilerFor({ id, library, settings }: Order, isParallel: boolean): Compiler {
  const opened = openLibrary(library);
  if (typeof opened === "string") throw new Error(opened);
  // The library may have been replaced meanwhile.
  if (identityOf(library, settings, opened.features) !== id) {
    throw new Error("Cannot make artifact: the library is another by now");
  }
  return new Compiler(opened.machine.wasmtime, settings, { name: "cranelift", isParallel });
}

function make(order: Order): void {
  const compiler = compilerFor(order, true);
  const artifact = compiler.serialize(compiledBy(compiler, order.code));
  for (let at = 0; at < artifact.length;) at += writeSync(1, artifact, at);
}

/** Says why code is refused: that is no fault of this process. */
function compiledBy(compiler: Compiler, code: Bytes): Compiled {
  try {
    return compiler.compile(code);
  } catch (error) {
    if (!(error instanceof native.CompileError)) throw error;
    writeSync(2, `${error.name}: ${error.message}`);
    return nodeProcess().exit(REFUSED);
  }
}

/** By one thread: what nobody waits for leaves the others to those who do. */
function keep(order: Order): void {
  const entries = new Entries(order.id, order.target!);
  const compiler = compilerFor(order, false);
  if (isBest(compiler, entries.read(order.code))) return;
  const artifact = compiler.serialize(compiler.compile(order.code));
  // Someone may have warmed it meanwhile.
  if (!isBest(compiler, entries.read(order.code))) entries.write(order.code, artifact);
}

function isBest(compiler: Compiler, artifact: Uint8Array<ArrayBuffer> | undefined): boolean {
  try {
    return artifact !== undefined && compiler.deserialize(artifact) !== undefined;
  } catch {
    // Winch made it.
    return false;
  }
}

const orders = ordersIn<Order>(new Uint8Array(readFileSync(0)));
const role = nodeProcess().argv[2] as Role;
// An error ends the process, which is the answer.
if (role === "make") make(orders[0]!);
else void supervise(orders, { slow: keep });
