// The mutants of a source file: each is one edit of its text, by the syntax tree of Babel's parser, which only this task
// loads. Texts for people are left alone: the tests ask for codes, not for prose.

import { ROOT } from "../tools.ts";

/** One edit of a source file. */
export interface Mutant {
  /** The file, from the top of the tree. */
  readonly path: string;
  /** All of its text. */
  readonly source: string;
  /** Offset of what is replaced. */
  readonly start: number;
  /** Offset behind it. */
  readonly end: number;
  /** What stands there instead. */
  readonly text: string;
  /** Number of the line, from 1 on. */
  readonly line: number;
}

/** A node of the syntax tree. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  // deno-lint-ignore no-explicit-any -- each type has members of its own
  readonly [member: string]: any;
}

/** A part of a file and what stands there instead. */
type Edit = [at: { readonly start: number; readonly end: number }, text: string];

const PARSER = "npm:@babel/parser@7.28.5";

const SWAPS: Record<string, string[]> = {
  "===": ["!=="],
  "!==": ["==="],
  "==": ["!="],
  "!=": ["=="],
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "**": ["*"],
  "&": ["|"],
  "|": ["&"],
  "^": ["&"],
  "<<": [">>"],
  ">>": ["<<"],
  ">>>": ["<<"],
  "&&": ["||"],
  "||": ["&&"],
  "+=": ["-="],
  "-=": ["+="],
  "??=": ["="],
  "++": ["--"],
  "--": ["++"],
};

/** Methods that give something like what they are called on. */
const SAME_KIND =
  /^(filter|slice|subarray|sort|reverse|trim|toLowerCase|toUpperCase|replace|replaceAll|normalize|flat|concat)$/;

/** Members that are types, or names that nobody computes. */
const UNCHANGED = /^(typeAnnotation|returnType|type\w*Parameters|type\w*Arguments|superTypeParameters|implements|key)$/;

/** Finds all mutants of a file. */
export async function mutantsOf(path: string): Promise<Mutant[]> {
  const { parse } = await import(PARSER);
  const source = await Deno.readTextFile(`${ROOT}/${path}`);
  const treeOf = (text: string): Node => parse(text, { sourceType: "module", plugins: ["typescript"] }).program;
  const mutants = [...editsIn(treeOf(source), source)].map(([{ start, end }, text]) => ({
    ...{ path, source, start, end, text },
    line: source.slice(0, start).split("\n").length,
  }));
  return mutants.filter(({ start, end, text }) => {
    try {
      treeOf(source.slice(0, start) + text + source.slice(end));
      return true;
    } catch {
      return false;
    }
  });
}

function* editsIn(node: Node, source: string, isProse = false): Generator<Edit> {
  const isType = node.type.startsWith("TS") && !/^TS(As|NonNull|Satisfies)/.test(node.type);
  if (isType || /^(Import|ExportAll)/.test(node.type) && node.type !== "ImportExpression") return;
  yield* editsOf(node, source, isProse);
  const isError = node.type === "NewExpression" && /Error$/.test(node.callee.name);
  for (const [name, member] of Object.entries(node)) {
    if (UNCHANGED.test(name) && !node.computed) continue;
    for (const child of Array.isArray(member) ? member : [member]) {
      if (typeof child?.type === "string") yield* editsIn(child, source, isProse || isError);
    }
  }
}

/** Edits of one node, by its type. */
function* editsOf(node: Node, source: string, isProse: boolean): Generator<Edit> {
  const textOf = ({ start, end }: Node) => source.slice(start, end);
  switch (node.type) {
    case "BinaryExpression":
    case "LogicalExpression":
    case "AssignmentExpression":
      yield* swaps(node, source);
      break;
    case "UpdateExpression":
      yield [node, textOf(node).replace(node.operator, SWAPS[node.operator]![0]!)];
      break;
    case "UnaryExpression":
      if (/^[!~-]$/.test(node.operator)) yield [node, textOf(node.argument)];
      break;
    case "IfStatement":
    case "ConditionalExpression":
      yield [node.test, "true"];
      yield [node.test, "false"];
      break;
    case "WhileStatement":
    case "DoWhileStatement":
      yield [node.test, "false"];
      break;
    case "ExpressionStatement":
    case "ThrowStatement":
    case "BreakStatement":
    case "ContinueStatement":
      yield [node, ";"];
      break;
    case "ReturnStatement":
      if (node.argument && !isPlain(node.argument)) yield [node.argument, "undefined"];
      break;
    case "ArrowFunctionExpression":
      if (node.body.type !== "BlockStatement" && !isPlain(node.body)) yield [node.body, "undefined"];
      break;
    case "CallExpression":
      yield* calls(node, textOf);
      break;
    case "OptionalMemberExpression":
    case "OptionalCallExpression":
      if (node.optional) {
        const end = (node.object ?? node.callee).end;
        yield [{ start: end, end: end + 2 }, node.type.includes("Call") || node.computed ? "" : "."];
      }
      break;
    case "ObjectExpression":
      for (const property of node.properties) {
        yield [property, "...{}"];
      }
      break;
    default:
      yield* literals(node, textOf(node), isProse);
  }
}

/** Whether other edits change it: a literal, or nothing at all. */
function isPlain({ type, name }: Node): boolean {
  return type.endsWith("Literal") || name === "undefined";
}

function* swaps(node: Node, source: string): Generator<Edit> {
  const { left, right, operator } = node;
  const at = left.end + source.slice(left.end, right.start).indexOf(operator);
  for (const other of SWAPS[operator] ?? []) yield [{ start: at, end: at + operator.length }, other];
  if (operator === "??") {
    yield [node, source.slice(left.start, left.end)];
    yield [node, source.slice(right.start, right.end)];
  }
  if (operator === "in" || operator === "instanceof") yield [node, `!(${source.slice(node.start, node.end)})`];
}

/** A call that is left away: its argument, or what it was called on, comes in its place. */
function* calls({ callee, arguments: given, start, end }: Node, textOf: (node: Node) => string): Generator<Edit> {
  const [first] = given;
  if (callee.type === "Identifier" && given.length === 1) yield [{ start, end }, `(${textOf(first)})`];
  if (SAME_KIND.test(callee.property?.name)) yield [{ start, end }, textOf(callee.object)];
}

function* literals(node: Node, text: string, isProse: boolean): Generator<Edit> {
  switch (node.type) {
    case "NumericLiteral":
      yield [node, `${node.value + 1}`];
      if (node.value > 0) yield [node, `${node.value - 1}`];
      break;
    case "BigIntLiteral":
      yield [node, `${BigInt(node.value) + 1n}n`];
      break;
    case "BooleanLiteral":
      yield [node, `${!node.value}`];
      break;
    case "StringLiteral":
      if (!/ /.test(node.value)) yield [node, node.value === "" ? '"mutant"' : '""'];
      break;
    case "TemplateLiteral":
      if (!isProse && text.length > 2) yield [node, "``"];
      break;
    case "RegExpLiteral":
      yield [node, `/(?!)/${node.flags}`];
      yield [node, `/(?:)/${node.flags}`];
      break;
    case "ArrayExpression":
      if (node.elements.length > 0) yield [node, "[]"];
      break;
    case "BlockStatement":
      if (node.body.length > 1) yield [node, "{}"];
      break;
  }
}
