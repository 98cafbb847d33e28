// XPath 1.0: an expression with its names resolved, as the compiler and the index read it.

export type Axis =
  | 'ancestor'
  | 'ancestor-or-self'
  | 'attribute'
  | 'child'
  | 'descendant'
  | 'descendant-or-self'
  | 'following'
  | 'following-sibling'
  | 'namespace'
  | 'parent'
  | 'preceding'
  | 'preceding-sibling'
  | 'self';

/** A test for the names of the axis's principal node type (§2.3). */
export interface NameTest {
  kind: 'name';
  /** `null`: any. */
  localName: string | null;
  /** `undefined`: any; `null`: none, which includes the content namespaces. */
  namespaceURI: string | null | undefined;
}

/** §2.3. Comments and processing instructions do not exist in XMPP: their tests are well-formed and never true. */
export type NodeTest = NameTest | { kind: 'node' } | { kind: 'text' } | { kind: 'nothing' };

export interface Step {
  axis: Axis;
  test: NodeTest;
  predicates: readonly Expr[];
}

/** What the context or the document root or another expression gives, filtered by predicates, then the steps. */
export interface PathExpr {
  kind: 'path';
  start: 'context' | 'root' | NodeSetExpr;
  /** Predicates of the start: they count in document order (§3.3). Empty unless `start` is an expression. */
  predicates: readonly Expr[];
  steps: readonly Step[];
}

export interface UnionExpr {
  kind: 'union';
  operands: readonly NodeSetExpr[];
}

/** A literal, a number, a variable's value, `true()` or `false()`. */
export interface ConstantExpr {
  kind: 'constant';
  value: string | number | boolean;
}

export interface LogicalExpr {
  kind: 'and' | 'or';
  operands: readonly Expr[];
}

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';

export interface CompareExpr {
  kind: 'compare';
  operator: Comparison;
  left: Expr;
  right: Expr;
}

export type Arithmetic = '+' | '-' | '*' | 'div' | 'mod';

/** Operators of one precedence, from left to right. */
export interface ArithmeticExpr {
  kind: 'arithmetic';
  first: Expr;
  rest: readonly { operator: Arithmetic; operand: Expr }[];
}

export interface NegateExpr {
  kind: 'negate';
  operand: Expr;
}

export interface CallExpr {
  kind: 'call';
  /** The others are constants, or {@link EmptyExpr}. */
  name: Exclude<FunctionName, 'id' | 'true' | 'false'>;
  args: readonly Expr[];
}

/** The empty node-set: what `id()` gives, because a stanza has no DTD. */
export interface EmptyExpr {
  kind: 'empty';
}

export type NodeSetExpr = PathExpr | UnionExpr | EmptyExpr;
export type Expr = NodeSetExpr | ConstantExpr | LogicalExpr | CompareExpr | ArithmeticExpr | NegateExpr | CallExpr;

/** The four types of §1. Every expression's is known before it runs, because variables are bound when it is compiled. */
export type ValueType = 'node-set' | 'string' | 'number' | 'boolean';

/** What a function of the core library (§4) takes and gives; a missing optional argument is the context node. */
interface Signature {
  least: number;
  most: number;
  /** Arguments that have to be node-sets. */
  nodes: boolean;
  returns: ValueType;
}

const signature = (least: number, most: number, returns: ValueType, nodes = false): Signature => ({
  least,
  most,
  nodes,
  returns,
});

export const FUNCTIONS = {
  last: signature(0, 0, 'number'),
  position: signature(0, 0, 'number'),
  count: signature(1, 1, 'number', true),
  id: signature(1, 1, 'node-set'),
  'local-name': signature(0, 1, 'string', true),
  'namespace-uri': signature(0, 1, 'string', true),
  name: signature(0, 1, 'string', true),
  string: signature(0, 1, 'string'),
  concat: signature(2, Infinity, 'string'),
  'starts-with': signature(2, 2, 'boolean'),
  contains: signature(2, 2, 'boolean'),
  'substring-before': signature(2, 2, 'string'),
  'substring-after': signature(2, 2, 'string'),
  substring: signature(2, 3, 'string'),
  'string-length': signature(0, 1, 'number'),
  'normalize-space': signature(0, 1, 'string'),
  translate: signature(3, 3, 'string'),
  boolean: signature(1, 1, 'boolean'),
  not: signature(1, 1, 'boolean'),
  true: signature(0, 0, 'boolean'),
  false: signature(0, 0, 'boolean'),
  lang: signature(1, 1, 'boolean'),
  number: signature(0, 1, 'number'),
  sum: signature(1, 1, 'number', true),
  floor: signature(1, 1, 'number'),
  ceiling: signature(1, 1, 'number'),
  round: signature(1, 1, 'number'),
} as const satisfies Record<string, Signature>;

export type FunctionName = keyof typeof FUNCTIONS;

export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'path':
    case 'union':
    case 'empty':
      return 'node-set';
    case 'and':
    case 'or':
    case 'compare':
      return 'boolean';
    case 'arithmetic':
    case 'negate':
      return 'number';
    case 'call':
      return FUNCTIONS[expr.name].returns;
    case 'constant':
      return typeof expr.value as 'string' | 'number' | 'boolean';
  }
}

export function isNodeSet(expr: Expr): expr is NodeSetExpr {
  return expr.kind === 'path' || expr.kind === 'union' || expr.kind === 'empty';
}

/** Whether the expression itself asks for its position or the context's size (not inside a predicate of its own). */
function isPositional(expr: Expr): boolean {
  switch (expr.kind) {
    case 'constant':
    case 'empty':
    case 'path':
    case 'union':
      return false;
    case 'and':
    case 'or':
      return expr.operands.some(isPositional);
    case 'compare':
      return isPositional(expr.left) || isPositional(expr.right);
    case 'arithmetic':
      return isPositional(expr.first) || expr.rest.some(({ operand }) => isPositional(operand));
    case 'negate':
      return isPositional(expr.operand);
    case 'call':
      return expr.name === 'position' || expr.name === 'last' || expr.args.some(isPositional);
  }
}

/** Whether a predicate depends on the position of a node: by its type (§2.4) or by asking for it. */
export function isPositionalPredicate(predicate: Expr): boolean {
  return typeOf(predicate) === 'number' || isPositional(predicate);
}

/** How much there is to do for one evaluation, without what is in the predicates of its paths. */
export function operations(expr: Expr): number {
  const sum = (parts: readonly Expr[]) => parts.reduce((total, part) => total + operations(part), 1);
  switch (expr.kind) {
    case 'constant':
    case 'empty':
      return 1;
    case 'path':
      return 1 + expr.steps.length + (typeof expr.start === 'string' ? 0 : operations(expr.start));
    case 'union':
    case 'and':
    case 'or':
      return sum(expr.operands);
    case 'compare':
      return sum([expr.left, expr.right]);
    case 'arithmetic':
      return sum([expr.first, ...expr.rest.map(({ operand }) => operand)]);
    case 'negate':
      return sum([expr.operand]);
    case 'call':
      return sum(expr.args);
  }
}
