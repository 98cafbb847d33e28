// XPath 1.0: from the parser's syntax tree to an expression whose prefixes, variables and functions are resolved.
import { NS } from '../../xml/namespaces.js';
import {
  FUNCTIONS,
  isNodeSet,
  isPositionalPredicate,
  type Arithmetic,
  type Axis,
  type Comparison,
  type Expr,
  type FunctionName,
  type NodeSetExpr,
  type NodeTest,
  type Step,
} from './expression.js';
import { isNCName, type Token } from './lexer.js';
import type { Parsed } from './syntax.js';
import { xpathError, type XPathErrorCode } from './error.js';
import {
  type AstBinary,
  type AstFunctionCall,
  type AstNode,
  type AstNodeTest,
  type AstPathExpr,
  type AstStep,
  xpath,
  type XPathPackage,
} from './package.js';

/** How many steps and operators may lie inside one another: what the evaluation's call depth depends on. */
const MAX_DEPTH = 256;

/** A variable's value. */
export type VariableValue = string | number | boolean;

/** What the names of an expression stand for. */
export interface Bindings {
  /** Namespace by prefix; `null` stands for a namespace that no name can be in. */
  namespaces: ReadonlyMap<string, string>;
  variables: ReadonlyMap<string, VariableValue>;
}

type BinaryClass = abstract new (...parts: never[]) => AstBinary;
type Operators<T> = readonly (readonly [BinaryClass, T])[];

/** What the classes and numbers of the parser's tree stand for. */
interface Meanings {
  readonly axes: readonly Axis[];
  /** The binary operators that associate to the left, by precedence. */
  readonly comparisons: Operators<Comparison>;
  readonly additive: Operators<Arithmetic>;
  readonly multiplicative: Operators<Arithmetic>;
}

let known: Meanings | null = null;

function meanings(): Meanings {
  return (known ??= meaningsIn(xpath()));
}

function meaningsIn(ast: XPathPackage): Meanings {
  return {
    axes: axesByNumber(ast),
    comparisons: [
      [ast.EqualsOperation, '='],
      [ast.NotEqualOperation, '!='],
      [ast.LessThanOperation, '<'],
      [ast.LessThanOrEqualOperation, '<='],
      [ast.GreaterThanOperation, '>'],
      [ast.GreaterThanOrEqualOperation, '>='],
    ],
    additive: [
      [ast.PlusOperation, '+'],
      [ast.MinusOperation, '-'],
    ],
    multiplicative: [
      [ast.MultiplyOperation, '*'],
      [ast.DivOperation, 'div'],
      [ast.ModOperation, 'mod'],
    ],
  };
}

function axesByNumber({ Step: numbers }: XPathPackage): Axis[] {
  const axes: Axis[] = [];
  axes[numbers.ANCESTOR] = 'ancestor';
  axes[numbers.ANCESTORORSELF] = 'ancestor-or-self';
  axes[numbers.ATTRIBUTE] = 'attribute';
  axes[numbers.CHILD] = 'child';
  axes[numbers.DESCENDANT] = 'descendant';
  axes[numbers.DESCENDANTORSELF] = 'descendant-or-self';
  axes[numbers.FOLLOWING] = 'following';
  axes[numbers.FOLLOWINGSIBLING] = 'following-sibling';
  axes[numbers.NAMESPACE] = 'namespace';
  axes[numbers.PARENT] = 'parent';
  axes[numbers.PRECEDING] = 'preceding';
  axes[numbers.PRECEDINGSIBLING] = 'preceding-sibling';
  axes[numbers.SELF] = 'self';
  return axes;
}

/** Checks the bindings of `add` and keeps their own properties. */
export function bindings(
  namespaces: Readonly<Record<string, string>> = {},
  variables: Readonly<Record<string, VariableValue>> = {},
): Bindings {
  const prefixes = new Map<string, string>([['xml', NS.XML]]);
  for (const [prefix, uri] of Object.entries(namespaces) as [string, unknown][]) {
    const problem =
      typeof uri !== 'string' || uri === ''
        ? 'has to be bound to the name of a namespace, a string that is not empty'
        : !isNCName(prefix)
          ? 'is not a name without a colon'
          : prefix === 'xmlns' || uri === NS.XMLNS
            ? `cannot be bound: "xmlns" and ${NS.XMLNS} are reserved`
            : (prefix === 'xml') !== (uri === NS.XML)
              ? `cannot be bound so: "xml" always stands for ${NS.XML} and nothing else does`
              : null;
    if (problem !== null) throw xpathError('USAGE_XPATH_PREFIX', `the prefix "${prefix}" ${problem}`, '', 0);
    prefixes.set(prefix, uri as string);
  }
  const values = new Map<string, VariableValue>();
  for (const [name, value] of Object.entries(variables) as [string, unknown][]) {
    if (!isNCName(name)) {
      throw xpathError('USAGE_XPATH_VARIABLE', `"${name}" cannot be the name of a variable`, '', 0);
    }
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      const what = `the variable "${name}" has to be a string, a number or a boolean`;
      throw xpathError('USAGE_XPATH_VARIABLE', what, '', 0);
    }
    values.set(name, value);
  }
  return { namespaces: prefixes, variables: values };
}

/** Resolves every name of a parsed expression. Throws a `USAGE_XPATH_…` error with the place. */
export function translate(parsed: Parsed, { namespaces, variables }: Bindings): Expr {
  const ast = xpath();
  const { axes, comparisons, additive, multiplicative } = meanings();
  return expression(parsed.root, 0);

  function fail(code: XPathErrorCode, what: string, offset: number): never {
    throw xpathError(code, what, parsed.source, offset);
  }

  function token(number: string): Token {
    return parsed.tokens[Number(number)] as Token;
  }

  function expression(node: AstNode, depth: number): Expr {
    if (depth > MAX_DEPTH) {
      fail('USAGE_XPATH_LIMIT', `more than ${MAX_DEPTH} steps and operators are inside one another`, placeOf(node));
    }
    if (node instanceof ast.PathExpr) return path(node, depth);
    if (node instanceof ast.XString) return { kind: 'constant', value: token(node.str).text };
    if (node instanceof ast.XNumber) return { kind: 'constant', value: Number(token(String(node.num)).text) };
    if (node instanceof ast.FunctionCall) return call(node, depth);
    if (node instanceof ast.VariableReference) {
      const { text, offset } = token(node.variable);
      const value = variables.get(text);
      if (value === undefined) fail('USAGE_XPATH_VARIABLE', `the variable $${text} has no value`, offset);
      return { kind: 'constant', value };
    }
    if (node instanceof ast.OrOperation)
      return { kind: 'or', operands: chain(node, [[ast.OrOperation, 'or']], depth).operands };
    if (node instanceof ast.AndOperation) {
      return { kind: 'and', operands: chain(node, [[ast.AndOperation, 'and']], depth).operands };
    }
    if (node instanceof ast.BarOperation) {
      const { nodes, operands } = chain(node, [[ast.BarOperation, '|']], depth);
      return {
        kind: 'union',
        operands: operands.map((operand, i) => nodeSet(operand, nodes[i] as AstNode, '"|" joins')),
      };
    }
    if (node instanceof ast.UnaryMinusOperation) {
      let operand: AstNode = node;
      let negative = false;
      while (operand instanceof ast.UnaryMinusOperation) {
        operand = operand.rhs;
        negative = !negative;
      }
      const positive = expression(operand, depth + 1);
      if (!negative) return { kind: 'negate', operand: { kind: 'negate', operand: positive } };
      return positive.kind === 'constant' && typeof positive.value === 'number'
        ? { kind: 'constant', value: -positive.value }
        : { kind: 'negate', operand: positive };
    }
    for (const operators of [additive, multiplicative]) {
      if (!operators.some(([type]) => node instanceof type)) continue;
      const { operands, names } = chain(node as AstBinary, operators, depth);
      const [first, ...rest] = operands as [Expr, ...Expr[]];
      return {
        kind: 'arithmetic',
        first,
        rest: rest.map((operand, i) => ({ operator: names[i] as Arithmetic, operand })),
      };
    }
    const operator = comparisons.find(([type]) => node instanceof type)?.[1] as Comparison;
    const { lhs, rhs } = node as AstBinary;
    return { kind: 'compare', operator, left: expression(lhs, depth + 1), right: expression(rhs, depth + 1) };
  }

  /** The operands of `a op b op c …`, without recursion along the chain. */
  function chain<T>(root: AstBinary, operators: Operators<T>, depth: number) {
    const nodes: AstNode[] = [];
    const names: T[] = [];
    let node: AstNode = root;
    for (;;) {
      const operator = operators.find(([type]) => node instanceof type);
      if (operator === undefined) break;
      names.push(operator[1]);
      nodes.push((node as AstBinary).rhs);
      node = (node as AstBinary).lhs;
    }
    nodes.push(node);
    nodes.reverse();
    return { nodes, names: names.reverse(), operands: nodes.map((operand) => expression(operand, depth + 1)) };
  }

  function nodeSet(expr: Expr, node: AstNode, who: string): NodeSetExpr {
    if (!isNodeSet(expr)) fail('USAGE_XPATH_TYPE', `${who} node-sets, this is none`, placeOf(node));
    return expr;
  }

  function call(node: AstFunctionCall, depth: number): Expr {
    const { text, offset } = token(node.functionName);
    const signature = Object.hasOwn(FUNCTIONS, text) ? FUNCTIONS[text as FunctionName] : undefined;
    if (signature === undefined) fail('USAGE_XPATH_FUNCTION', `XPath 1.0 has no function "${text}"`, offset);
    const name = text as FunctionName;
    const { least, most } = signature;
    const count = node.arguments.length;
    if (count < least || count > most) {
      const wanted = least === most ? String(least) : most === Infinity ? `at least ${least}` : `${least} to ${most}`;
      fail('USAGE_XPATH_FUNCTION', `${name}() takes ${wanted} argument(s), not ${count}`, offset);
    }
    const args = node.arguments.map((argument) => expression(argument, depth + 1));
    if (signature.nodes) args.forEach((arg, i) => nodeSet(arg, node.arguments[i] as AstNode, `${name}() takes`));
    if (name === 'true' || name === 'false') return { kind: 'constant', value: name === 'true' };
    return name === 'id' ? { kind: 'empty' } : { kind: 'call', name, args };
  }

  function path(node: AstPathExpr, depth: number): Expr {
    const { filter, locationPath } = node;
    const filterPredicates = node.filterPredicates ?? [];
    const written = locationPath?.steps ?? [];
    if (filter === undefined) {
      return {
        kind: 'path',
        start: locationPath?.absolute === true ? 'root' : 'context',
        predicates: [],
        steps: steps(written, depth + 1),
      };
    }
    const start = expression(filter, depth + 1);
    if (filterPredicates.length === 0 && written.length === 0) return start;
    const who = filterPredicates.length > 0 ? 'predicates filter' : 'steps start from';
    const nodes = nodeSet(start, filter, who);
    const predicates = filterPredicates.map((predicate) => expression(predicate, depth + 1));
    const following = steps(written, depth + 1);
    if (predicates.length === 0 && nodes.kind === 'path')
      return { ...nodes, steps: merge([...nodes.steps, ...following]) };
    return { kind: 'path', start: nodes, predicates, steps: following };
  }

  function steps(written: readonly AstStep[], depth: number): Step[] {
    return merge(
      written.map(({ axis, nodeTest, predicates }, i) => ({
        axis: axes[axis] as Axis,
        test: test(nodeTest),
        predicates: predicates.map((predicate) => expression(predicate, depth + i)),
      })),
      depth,
    );
  }

  function merge(list: readonly Step[], depth = 0): Step[] {
    const merged = simplify(list);
    if (depth + merged.length > MAX_DEPTH) {
      fail('USAGE_XPATH_LIMIT', `more than ${MAX_DEPTH} steps and operators are inside one another`, 0);
    }
    return merged;
  }

  function test(node: AstNodeTest): NodeTest {
    switch (node.type) {
      case ast.NodeTest.NAMETESTANY:
        return { kind: 'name', localName: null, namespaceURI: undefined };
      case ast.NodeTest.NAMETESTPREFIXANY: {
        const { text, offset } = token(node.prefix as string);
        return { kind: 'name', localName: null, namespaceURI: namespace(text.slice(0, -2), offset) };
      }
      case ast.NodeTest.NAMETESTQNAME: {
        const { text, offset } = token(node.name as string);
        const colon = text.indexOf(':');
        if (colon < 0) return { kind: 'name', localName: text, namespaceURI: null };
        return {
          kind: 'name',
          localName: text.slice(colon + 1),
          namespaceURI: namespace(text.slice(0, colon), offset),
        };
      }
      case ast.NodeTest.TEXT:
        return { kind: 'text' };
      case ast.NodeTest.NODE:
        return { kind: 'node' };
      default:
        return { kind: 'nothing' };
    }
  }

  function namespace(prefix: string, offset: number): string {
    const uri = namespaces.get(prefix);
    if (uri === undefined) {
      const what = `the prefix "${prefix}" is not bound; give its namespace in the option "namespaces"`;
      fail('USAGE_XPATH_PREFIX', what, offset);
    }
    return uri;
  }

  /** Place of the first token below a node that the tree remembers; the beginning when there is none. */
  function placeOf(node: AstNode): number {
    let place = Infinity;
    const seen = new Set<unknown>();
    const open: unknown[] = [node];
    while (open.length > 0) {
      const next = open.pop();
      if (typeof next === 'string' && /^[0-9]+$/.test(next)) place = Math.min(place, token(next).offset);
      else if (next instanceof ast.XNumber) place = Math.min(place, token(String(next.num)).offset);
      else if (typeof next === 'object' && next !== null && !seen.has(next)) {
        seen.add(next);
        for (const part of Object.values(next) as unknown[]) open.push(part);
      }
    }
    return place === Infinity ? 0 : place;
  }
}

/** Writes `descendant-or-self::node()/child::x` as `descendant::x` where no position is asked for, and drops `.`. */
function simplify(steps: readonly Step[]): Step[] {
  const simple: Step[] = [];
  for (const step of steps) {
    const plain = step.predicates.length === 0 && step.test.kind === 'node';
    if (plain && step.axis === 'self') continue;
    const before = simple.at(-1);
    const axis =
      before?.axis === 'descendant-or-self' &&
      before.test.kind === 'node' &&
      before.predicates.length === 0 &&
      !step.predicates.some(isPositionalPredicate)
        ? belowAny(step.axis)
        : null;
    if (axis === null) simple.push(step);
    else simple[simple.length - 1] = { ...step, axis };
  }
  return simple;
}

/** The axis that reaches from a node what `axis` reaches from it and everything below it. */
function belowAny(axis: Axis): Axis | null {
  if (axis === 'child' || axis === 'descendant') return 'descendant';
  return axis === 'self' || axis === 'descendant-or-self' ? 'descendant-or-self' : null;
}
