// XPath 1.0 §3: from an expression to closures, one for each of the types a value can be wanted in.
import type { Test } from './axes.js';
import { compileComparison } from './compare.js';
import { isNodeSet, typeOf, type Arithmetic, type ArithmeticExpr, type Expr } from './expression.js';
import { booleanCall, numberCall, stringCall } from './functions.js';
import { PathCompiler, type ExpressionCompiler, type NumberOf, type StringOf } from './paths.js';
import { numberToString, toText } from './values.js';

/** How many visits it costs to write a number down. */
const FORMAT_VISITS = 4;

const yes: Test = () => true;

/** Compiles one expression. The closures are valid for every stanza; a {@link Run} says which. */
export class Compiler implements ExpressionCompiler {
  readonly paths: PathCompiler;

  readonly #contentNamespaces: readonly string[];

  /** @param contentNamespaces - namespaces whose names are in no namespace to the expression */
  constructor(contentNamespaces: readonly string[]) {
    this.#contentNamespaces = contentNamespaces;
    this.paths = new PathCompiler(contentNamespaces, this);
  }

  isContent(namespaceURI: string): boolean {
    return this.#contentNamespaces.includes(namespaceURI);
  }

  /** §4.3 `boolean()`. */
  boolean(expr: Expr): Test {
    if (isNodeSet(expr)) return this.paths.some(expr, yes);
    switch (expr.kind) {
      case 'constant': {
        const value = Boolean(expr.value);
        return () => value;
      }
      case 'and':
      case 'or': {
        const operands = expr.operands.map((operand) => this.boolean(operand));
        return expr.kind === 'and' ? all(operands) : any(operands);
      }
      case 'compare':
        return compileComparison(expr, this);
      case 'arithmetic':
      case 'negate': {
        const number = this.number(expr);
        return (node, run) => isTrue(number(node, run));
      }
      case 'call': {
        const type = typeOf(expr);
        if (type === 'boolean') return booleanCall(expr, this);
        if (type === 'string') {
          const string = this.string(expr);
          return (node, run) => string(node, run) !== '';
        }
        const number = this.number(expr);
        return (node, run) => isTrue(number(node, run));
      }
    }
  }

  /** §4.4 `number()`. */
  number(expr: Expr): NumberOf {
    switch (typeOf(expr)) {
      case 'boolean': {
        const boolean = this.boolean(expr);
        return (node, run) => (boolean(node, run) ? 1 : 0);
      }
      case 'node-set':
      case 'string': {
        const string = this.string(expr);
        return (node, run) => run.toNumber(string(node, run));
      }
      case 'number':
        break;
    }
    if (expr.kind === 'constant') {
      const value = expr.value as number;
      return () => value;
    }
    if (expr.kind === 'negate') {
      const operand = this.number(expr.operand);
      return (node, run) => -operand(node, run);
    }
    if (expr.kind === 'arithmetic') return this.#arithmetic(expr);
    if (expr.kind === 'call') return numberCall(expr, this);
    throw new TypeError(`no number comes of ${expr.kind}`);
  }

  /** §4.2 `string()`. */
  string(expr: Expr): StringOf {
    if (isNodeSet(expr)) {
      const first = this.paths.first(expr);
      return (node, run) => {
        const found = first(node, run);
        return found === null ? '' : run.stringValue(found);
      };
    }
    if (expr.kind === 'constant') {
      const value = toText(expr.value);
      return () => value;
    }
    switch (typeOf(expr)) {
      case 'boolean': {
        const boolean = this.boolean(expr);
        return (node, run) => String(boolean(node, run));
      }
      case 'number': {
        const number = this.number(expr);
        return (node, run) => {
          run.charge(FORMAT_VISITS);
          return numberToString(number(node, run));
        };
      }
      case 'node-set':
      case 'string':
        break;
    }
    if (expr.kind === 'call') return stringCall(expr, this);
    throw new TypeError(`no string comes of ${expr.kind}`);
  }

  /** §3.5. */
  #arithmetic({ first, rest }: ArithmeticExpr): NumberOf {
    const start = this.number(first);
    const operations = rest.map(({ operator, operand }) => ({
      apply: OPERATIONS[operator],
      operand: this.number(operand),
    }));
    return (node, run) => {
      let value = start(node, run);
      for (const { apply, operand } of operations) value = apply(value, operand(node, run));
      return value;
    };
  }
}

const OPERATIONS: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  div: (a, b) => a / b,
  mod: (a, b) => a % b,
};

function isTrue(value: number): boolean {
  return value !== 0 && !Number.isNaN(value);
}

function all(operands: readonly Test[]): Test {
  const [a, b] = operands;
  if (operands.length === 2 && a !== undefined && b !== undefined) return (node, run) => a(node, run) && b(node, run);
  return (node, run) => {
    for (const operand of operands) if (!operand(node, run)) return false;
    return true;
  };
}

function any(operands: readonly Test[]): Test {
  return (node, run) => {
    for (const operand of operands) if (operand(node, run)) return true;
    return false;
  };
}
