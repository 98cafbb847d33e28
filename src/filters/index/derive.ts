// What must hold for an expression to be true. Everything here is one-sided: a condition too few costs time, a
// condition too many would lose matches. So whatever is not understood gives no condition.
import type { Condition, Keys, ValueTest, WantedName } from './condition.js';
import {
  isNodeSet,
  typeOf,
  type CallExpr,
  type CompareExpr,
  type Comparison,
  type Expr,
  type NodeSetExpr,
  type PathExpr,
  type Step,
} from '../xpath/expression.js';
import { toNumber, toText } from '../xpath/values.js';

/** What is known about an expression: every one of `alternatives` holds when it is true. */
export interface Derived {
  alternatives: readonly Keys[];
  /** Why there are no alternatives. */
  why: string;
}

/** How much a condition costs as a key; of several the cheapest is taken. */
export type Cost = (condition: Condition) => number;

/** What is known about where a node is. */
type Place =
  /** The document root. */
  | { is: 'document' }
  /** The stanza itself. */
  | { is: 'root' }
  /** An element, perhaps of a known name. */
  | { is: 'element'; name: WantedName | null }
  | { is: 'attribute'; at: 'root' | 'any'; name: WantedName }
  | { is: 'text'; of: Place }
  | { is: 'unknown' };

type Scalar = string | number | boolean;

const UNKNOWN: Place = { is: 'unknown' };

/** No stanza fulfils it. */
const NEVER: Derived = { alternatives: [[]], why: '' };

const nothing = (why: string): Derived => ({ alternatives: [], why });
const one = (condition: Condition): Derived => ({ alternatives: [[condition]], why: '' });

/** The conditions of an expression whose context node is the stanza. */
export function derive(expr: Expr, cost: Cost): Derived {
  return truth(expr, { is: 'root' });

  /** What must hold for `boolean(expr)`. */
  function truth(expr: Expr, place: Place): Derived {
    switch (expr.kind) {
      case 'path':
      case 'union':
      case 'empty':
        return exists(expr, place, null);
      case 'constant':
        return expr.value ? nothing('it is always true') : NEVER;
      case 'and':
        return both(expr.operands.map((operand) => truth(operand, place)));
      case 'or':
        return either(expr.operands.map((operand) => truth(operand, place)));
      case 'compare':
        return comparison(expr, place);
      case 'call':
        return call(expr, place);
      case 'arithmetic':
      case 'negate':
        return nothing('it is true for almost every number that a calculation gives');
    }
  }

  function call(expr: CallExpr, place: Place): Derived {
    const [first, second] = expr.args;
    switch (expr.name) {
      case 'boolean':
        return truth(first as Expr, place);
      case 'not':
        return nothing('not() is true for stanzas that lack something');
      case 'contains':
      case 'starts-with': {
        if (second?.kind !== 'constant') return nothing(`${expr.name}() looks for a text that is not known before`);
        const value = toText(second.value);
        if (value === '') return nothing(`${expr.name}() of the empty string is always true`);
        return text(first as Expr, { is: expr.name === 'contains' ? 'part' : 'prefix', value }, place);
      }
      default: {
        const origin = originOf(expr);
        if (origin === null || origin.empty) return nothing(`${expr.name}() is true for too many stanzas`);
        return exists(origin.nodes, place, null);
      }
    }
  }

  function comparison({ operator, left, right }: CompareExpr, place: Place): Derived {
    if (isNodeSet(left) && isNodeSet(right)) return both([exists(left, place, null), exists(right, place, null)]);
    if (right.kind === 'constant') return against(operator, left, right.value, place);
    if (left.kind === 'constant') return against(MIRRORED[operator], right, left.value, place);
    for (const [nodes, other] of [
      [left, right],
      [right, left],
    ] as const) {
      if (isNodeSet(nodes) && typeOf(other) !== 'boolean') return exists(nodes, place, null);
    }
    return nothing('it compares values of which none is known before');
  }

  /**
   * A comparison with a constant. Each operand is looked at once, by the question that tells most: where predicates
   * compare inside predicates, every further question would double the work with each level.
   */
  function against(operator: Comparison, expr: Expr, value: Scalar, place: Place): Derived {
    if (operator === '=') {
      if (typeof value === 'string' && value !== '' && isTextual(expr)) {
        return text(expr, { is: 'equal', value }, place);
      }
      if (value === true && typeOf(expr) === 'boolean') return truth(expr, place);
    }
    if (isNodeSet(expr) && typeof value !== 'boolean') return exists(expr, place, null);
    const origin = originOf(expr);
    if (origin !== null && !compare(operator, isNodeSet(expr) ? false : origin.empty, value)) {
      return exists(origin.nodes, place, null);
    }
    return nothing('the comparison is also true where there is nothing');
  }

  /** What must hold for a text to pass a test; the test's value is not empty. */
  function text(expr: Expr, test: ValueTest, place: Place): Derived {
    if (isNodeSet(expr)) return exists(expr, place, test);
    if (expr.kind !== 'call') return nothing('the text is not part of the stanza');
    const [first, second] = expr.args;
    const { value } = test;
    const separator = second?.kind === 'constant' ? toText(second.value) : '';
    const inner = (is: ValueTest['is'], wanted: string): Derived =>
      first === undefined ? end(place, { is, value: wanted }) : text(first, { is, value: wanted }, place);
    switch (expr.name) {
      case 'string':
        return inner(test.is, value);
      case 'substring-before':
        return test.is === 'equal' ? inner('prefix', value + separator) : inner(test.is, value);
      case 'substring-after':
        return test.is === 'part' ? inner('part', value) : inner('part', separator + value);
      case 'substring':
        return inner('part', value);
      case 'normalize-space': {
        const longest = value.split(' ').reduce((a, b) => (b.length > a.length ? b : a), '');
        return longest === '' ? nothing('only spaces are looked for') : inner('part', longest);
      }
      case 'local-name':
      case 'name':
      case 'namespace-uri': {
        if (test.is !== 'equal') return nothing(`only the beginning of ${expr.name}() is known`);
        const name: WantedName =
          expr.name === 'namespace-uri'
            ? { localName: null, namespaceURI: value }
            : {
                localName: expr.name === 'name' ? value.slice(value.indexOf(':') + 1) : value,
                namespaceURI: undefined,
              };
        if (first === undefined) return named(place, name);
        return isNodeSet(first) ? exists(first, place, name) : nothing('a name of nothing');
      }
      default: {
        const origin = originOf(expr);
        if (origin?.empty !== '') return nothing(`${expr.name}() makes another text`);
        return exists(origin.nodes, place, null);
      }
    }
  }

  /** What must hold for a node-set to have a node, and for some node of it to pass a test or have a name. */
  function exists(expr: NodeSetExpr, place: Place, last: ValueTest | WantedName | null): Derived {
    if (expr.kind === 'empty') return NEVER;
    if (expr.kind === 'union') return either(expr.operands.map((operand) => exists(operand, place, last)));
    const { needs, at } = along(expr, place);
    if (last !== null) needs.push('is' in last ? end(at, last) : named(at, last));
    return both(needs, 'it asks for nodes of any name');
  }

  /** Follows a path: what must hold for it to lead somewhere, and where that is. */
  function along({ start, predicates, steps }: PathExpr, place: Place): { needs: Derived[]; at: Place } {
    const needs: Derived[] = [];
    let at: Place;
    if (start === 'context') at = place;
    else if (start === 'root') at = { is: 'document' };
    else if (start.kind === 'path') {
      const before = along(start, place);
      needs.push(...before.needs);
      at = before.at;
    } else {
      needs.push(exists(start, place, null));
      at = UNKNOWN;
    }
    needs.push(...tests(predicates, at));
    for (const step of steps) {
      if (step.test.kind === 'nothing') needs.push(NEVER);
      const from = at;
      at = advance(from, step);
      if (step.test.kind === 'name' && step.axis !== 'namespace') needs.push(named(at, step.test));
      needs.push(...tests(step.predicates, at));
    }
    return { needs, at };
  }

  /** A number in a predicate asks for a position, and those begin at 1: so it is true as well. */
  function tests(predicates: readonly Expr[], at: Place): Derived[] {
    return predicates.map((predicate) => truth(predicate, at));
  }

  /** All of them hold. */
  function both(needs: readonly Derived[], why = ''): Derived {
    const alternatives = needs.flatMap((need) => need.alternatives);
    return {
      alternatives,
      why: alternatives.length > 0 ? '' : (needs.map((need) => need.why).find((each) => each !== '') ?? why),
    };
  }

  /** One of them holds: the cheapest keys of each. */
  function either(needs: readonly Derived[]): Derived {
    const keys: Condition[] = [];
    for (const need of needs) {
      const best = cheapest(need.alternatives, cost);
      if (best === null) return nothing(`one of its alternatives has no condition: ${need.why}`);
      keys.push(...best);
    }
    return { alternatives: [keys], why: '' };
  }
}

/** The keys that cost least, or null if there is none. */
export function cheapest(alternatives: readonly Keys[], cost: Cost): Keys | null {
  let best: Keys | null = null;
  let least = Infinity;
  for (const keys of alternatives) {
    const total = keys.reduce((sum, condition) => sum + cost(condition), 0);
    if (total < least) {
      best = keys;
      least = total;
    }
  }
  return best;
}

/** Where a step leads. */
function advance(from: Place, { axis, test }: Step): Place {
  const name = test.kind === 'name' ? test : null;
  switch (axis) {
    case 'self':
      if (name === null || from.is === 'root') return from;
      return { is: 'element', name };
    case 'attribute': {
      const wanted = name ?? { localName: null, namespaceURI: undefined };
      return { is: 'attribute', at: from.is === 'root' ? 'root' : 'any', name: wanted };
    }
    case 'namespace':
      return UNKNOWN;
    case 'child':
      if (from.is === 'document' && test.kind !== 'text') return { is: 'root' };
      if (test.kind === 'text') return { is: 'text', of: from };
      return name === null ? UNKNOWN : { is: 'element', name };
    default:
      if (test.kind === 'text') return { is: 'text', of: UNKNOWN };
      return name === null ? UNKNOWN : { is: 'element', name };
  }
}

/** A node at that place has that name. */
function named(place: Place, name: WantedName): Derived {
  if (name.localName === null && typeof name.namespaceURI !== 'string') return nothing('any name will do');
  switch (place.is) {
    case 'root':
      return one({ on: 'root', name });
    case 'element':
      return one({ on: 'element', name });
    case 'attribute':
      if (name.localName === null) return nothing('attributes are not looked up by their namespace');
      return one({ on: 'attribute', at: place.at, name, test: { is: 'present', value: '' } });
    default:
      return nothing('what has that name is not known');
  }
}

/** The text of a node at that place passes a test. */
function end(place: Place, test: ValueTest): Derived {
  const part: ValueTest = { is: 'part', value: test.value };
  switch (place.is) {
    case 'attribute':
      if (place.name.localName === null) return nothing('any attribute will do');
      return one({ on: 'attribute', at: place.at, name: place.name, test });
    case 'element':
      if (place.name === null || place.name.localName === null) return one({ on: 'text', name: null, test: part });
      return one({ on: 'text', name: place.name, test: test.is === 'equal' ? test : part });
    case 'text':
      if (place.of.is === 'element') return end(place.of, part);
      return one({ on: 'text', name: null, test: part });
    case 'unknown':
      return nothing('it asks for the text of nodes of any kind');
    default:
      return one({ on: 'text', name: null, test: part });
  }
}

/** The node-set that a value is made of, and the value when there are no nodes in it. */
function originOf(expr: Expr): { nodes: NodeSetExpr; empty: Scalar } | null {
  if (isNodeSet(expr)) return { nodes: expr, empty: '' };
  if (expr.kind !== 'call') return null;
  const [first] = expr.args;
  if (first === undefined) return null;
  const inner = originOf(first);
  if (inner === null) return null;
  const { nodes } = inner;
  const direct = isNodeSet(first) || inner.empty === '';
  switch (expr.name) {
    case 'boolean':
      return isNodeSet(first) ? { nodes, empty: false } : null;
    case 'count':
    case 'sum':
      return { nodes, empty: 0 };
    case 'number':
      return direct ? { nodes, empty: NaN } : null;
    case 'string-length':
      return direct ? { nodes, empty: 0 } : null;
    case 'string':
    case 'normalize-space':
    case 'translate':
    case 'substring':
    case 'substring-before':
    case 'substring-after':
      return direct ? { nodes, empty: '' } : null;
    case 'local-name':
    case 'name':
    case 'namespace-uri':
      return { nodes, empty: '' };
    default:
      return null;
  }
}

function isTextual(expr: Expr): boolean {
  return isNodeSet(expr) || typeOf(expr) === 'string';
}

const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  '=': '=',
  '!=': '!=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

/** §3.4 for two values that are no node-sets. */
function compare(operator: Comparison, a: Scalar, b: Scalar): boolean {
  if (operator === '=' || operator === '!=') {
    const equal =
      typeof a === 'boolean' || typeof b === 'boolean'
        ? Boolean(a) === Boolean(b)
        : typeof a === 'number' || typeof b === 'number'
          ? numberOf(a) === numberOf(b)
          : a === b;
    return equal === (operator === '=');
  }
  const [x, y] = [numberOf(a), numberOf(b)];
  return operator === '<' ? x < y : operator === '<=' ? x <= y : operator === '>' ? x > y : x >= y;
}

function numberOf(value: Scalar): number {
  return typeof value === 'string' ? toNumber(value) : Number(value);
}
