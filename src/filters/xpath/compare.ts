// XPath 1.0 §3.4: comparisons.
import { Element } from '../../xml/element.js';
import type { QName } from '../../xml/qname.js';
import type { Test } from './axes.js';
import {
  isNodeSet,
  typeOf,
  type CompareExpr,
  type Comparison,
  type Expr,
  type NameTest,
  type NodeSetExpr,
} from './expression.js';
import { isDeclaration, type XNode } from './node.js';
import type { ExpressionCompiler } from './paths.js';
import type { Run } from './run.js';
import { toNumber } from './values.js';

type Compare<T> = (a: T, b: T) => boolean;

const NUMBERS: Readonly<Record<Comparison, Compare<number>>> = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

export function compileComparison({ operator, left, right }: CompareExpr, compiler: ExpressionCompiler): Test {
  if (isNodeSet(left) && isNodeSet(right)) return betweenNodeSets(operator, left, right, compiler);
  if (isNodeSet(left)) return withValue(operator, left, right, compiler);
  if (isNodeSet(right)) return withValue(MIRRORED[operator], right, left, compiler);

  const types = [typeOf(left), typeOf(right)];
  if (operator !== '=' && operator !== '!=') return numbers(operator, left, right, compiler);
  if (types.includes('boolean')) {
    const a = compiler.boolean(left);
    const b = compiler.boolean(right);
    return operator === '='
      ? (node, run) => a(node, run) === b(node, run)
      : (node, run) => a(node, run) !== b(node, run);
  }
  if (types.includes('number')) return numbers(operator, left, right, compiler);
  const a = compiler.string(left);
  const b = compiler.string(right);
  return operator === '=' ? (node, run) => a(node, run) === b(node, run) : (node, run) => a(node, run) !== b(node, run);
}

function numbers(operator: Comparison, left: Expr, right: Expr, compiler: ExpressionCompiler): Test {
  const compare = NUMBERS[operator];
  const a = compiler.number(left);
  const b = compiler.number(right);
  return (node, run) => compare(a(node, run), b(node, run));
}

/** True when the comparison is true for some node; with a boolean, for the node-set as a whole. */
function withValue(operator: Comparison, nodes: NodeSetExpr, value: Expr, compiler: ExpressionCompiler): Test {
  const type = typeOf(value);
  if (type === 'boolean') return numbers(operator, booleanOf(nodes), value, compiler);

  const asText = type === 'string' && (operator === '=' || operator === '!=');
  if (value.kind === 'constant' && asText) {
    const wanted = value.value as string;
    const name = operator === '=' ? attributeOfContext(nodes) : null;
    if (name !== null) return attributeEquals(compiler.paths.nameTest(name), wanted);
    return compiler.paths.some(
      nodes,
      operator === '='
        ? (node, run) => run.stringValue(node) === wanted
        : (node, run) => run.stringValue(node) !== wanted,
    );
  }
  if (value.kind === 'constant') {
    const compare = NUMBERS[operator];
    const wanted = typeof value.value === 'string' ? toNumber(value.value) : Number(value.value);
    return compiler.paths.some(nodes, (node, run) => compare(numberValue(node, run), wanted));
  }

  const collect = compiler.paths.collect(nodes, false);
  if (asText) {
    const text = compiler.string(value);
    return (node, run) => {
      const wanted = text(node, run);
      return collect(node, run).some((each) => (run.stringValue(each) === wanted) === (operator === '='));
    };
  }
  const compare = NUMBERS[operator];
  const number = compiler.number(value);
  return (node, run) => {
    const wanted = number(node, run);
    return collect(node, run).some((each) => compare(numberValue(each, run), wanted));
  };
}

/** The name test if the nodes are attributes of the context node, as in `@from`. */
export function attributeOfContext(nodes: NodeSetExpr): NameTest | null {
  if (nodes.kind !== 'path' || nodes.start !== 'context' || nodes.steps.length !== 1) return null;
  const [step] = nodes.steps;
  return step?.axis === 'attribute' && step.test.kind === 'name' && step.predicates.length === 0 ? step.test : null;
}

/** The commonest comparison of all, without a walk. */
function attributeEquals(matches: (name: QName) => boolean, wanted: string): Test {
  return (node, run) => {
    if (!(node instanceof Element)) return false;
    for (let attr = node.firstAttribute; attr !== null; attr = attr.nextAttribute) {
      run.charge(1);
      if (attr.value === wanted && matches(attr.qname) && !isDeclaration(attr)) return true;
    }
    return false;
  };
}

function booleanOf(nodes: NodeSetExpr): Expr {
  return { kind: 'call', name: 'boolean', args: [nodes] };
}

function numberValue(node: XNode, run: Run): number {
  return run.toNumber(run.stringValue(node));
}

/** True when the comparison is true for some pair of nodes: without trying every pair. */
function betweenNodeSets(
  operator: Comparison,
  left: NodeSetExpr,
  right: NodeSetExpr,
  compiler: ExpressionCompiler,
): Test {
  const collectLeft = compiler.paths.collect(left, false);
  const collectRight = compiler.paths.collect(right, false);

  if (operator === '=' || operator === '!=') {
    return (node, run) => {
      const texts = new Set<string>();
      for (const each of collectLeft(node, run)) texts.add(charged(each, run));
      if (texts.size === 0) return false;
      return collectRight(node, run).some((each) => {
        const known = texts.has(charged(each, run));
        return operator === '=' ? known : !known || texts.size > 1;
      });
    };
  }
  const compare = NUMBERS[operator];
  const leftIsLess = operator === '<' || operator === '<=';
  return (node, run) => {
    const a = extreme(collectLeft(node, run), leftIsLess, run);
    const b = extreme(collectRight(node, run), !leftIsLess, run);
    return compare(a, b);
  };
}

/** The string-value, paid for once more because a set is going to hash it. */
function charged(node: XNode, run: Run): string {
  const text = run.stringValue(node);
  run.charge(2);
  run.chargeText(text.length);
  return text;
}

/** The smallest or largest number of the nodes; NaN when there is none. */
function extreme(nodes: readonly XNode[], smallest: boolean, run: Run): number {
  let found = NaN;
  for (const node of nodes) {
    const value = numberValue(node, run);
    if (Number.isNaN(found) || (smallest ? value < found : value > found)) found = value;
  }
  return found;
}
