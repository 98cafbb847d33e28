// XPath 1.0 §2, §3.3: location paths, as closures that hand each node on to the next step.
import { Attr } from '../../xml/attr.js';
import { Element } from '../../xml/element.js';
import type { QName } from '../../xml/qname.js';
import { Text } from '../../xml/text.js';
import { AXES, type Test } from './axes.js';
import {
  isPositionalPredicate,
  operations,
  typeOf,
  type Expr,
  type NameTest,
  type NodeSetExpr,
  type PathExpr,
  type Step,
} from './expression.js';
import { parentOf, ROOT, type NamespaceNode, type XNode } from './node.js';
import type { Run } from './run.js';

export type NumberOf = (node: XNode, run: Run) => number;
export type StringOf = (node: XNode, run: Run) => string;

/** What compiles expressions of every kind, for those that contain others: predicates, comparisons, calls. */
export interface ExpressionCompiler {
  readonly paths: PathCompiler;
  /** Whether names of this namespace are in no namespace to the expression. */
  isContent(namespaceURI: string): boolean;
  boolean(expr: Expr): Test;
  number(expr: Expr): NumberOf;
  string(expr: Expr): StringOf;
}

/** How many visits it costs to look a node up in a set. */
const SET_VISITS = 4;

/** Gives the nodes of a path without duplicates; in document order when asked for. */
export type Collect = (node: XNode, run: Run) => readonly XNode[];

const NO_NODES: readonly XNode[] = [];
const never: Test = () => false;

/** What is known about the nodes that reach a step, before anything runs. */
interface Flow {
  /** Never more than one node. */
  single: boolean;
  /** No node is met twice. */
  distinct: boolean;
  /** In document order. */
  ordered: boolean;
  /** One may be above another. */
  nested: boolean;
}

const ONE: Flow = { single: true, distinct: true, ordered: true, nested: false };
const ANY: Flow = { single: false, distinct: false, ordered: false, nested: true };

/** Compiles the location paths of one filter. */
export class PathCompiler {
  /** How many places of the filter need a set of nodes already met. */
  #sets = 0;
  readonly #contentNamespaces: readonly string[];
  readonly #compiler: ExpressionCompiler;

  constructor(contentNamespaces: readonly string[], compiler: ExpressionCompiler) {
    this.#contentNamespaces = contentNamespaces;
    this.#compiler = compiler;
  }

  /** Whether some node of the node-set passes `terminal`, which may see a node twice and in any order. */
  some(expr: NodeSetExpr, terminal: Test): Test {
    if (expr.kind === 'empty') return never;
    if (expr.kind === 'union') {
      const operands = expr.operands.map((operand) => this.some(operand, terminal));
      return (node, run) => {
        for (const operand of operands) if (operand(node, run)) return true;
        return false;
      };
    }
    return this.#path(expr, terminal).test;
  }

  /** All nodes of the node-set, each once. */
  collect(expr: NodeSetExpr, inOrder: boolean): Collect {
    if (expr.kind === 'empty') return () => NO_NODES;
    const { test, flow } = expr.kind === 'union' ? { test: this.some(expr, put), flow: ANY } : this.#path(expr, put);
    return (node, run) => {
      const outer = run.out;
      run.out = null;
      test(node, run);
      const nodes = run.out as XNode[] | null;
      run.out = outer;
      if (nodes === null) return NO_NODES;
      if (nodes.length === 1) return nodes;
      if (inOrder && !flow.ordered) return run.inDocumentOrder(nodes);
      if (flow.distinct) return nodes;
      run.charge(nodes.length * SET_VISITS);
      return [...new Set(nodes)];
    };
  }

  /** The first node in document order, or null. */
  first(expr: NodeSetExpr): (node: XNode, run: Run) => XNode | null {
    if (expr.kind === 'path' && flowsOf(expr).at(-1)?.ordered === true) {
      const { test } = this.#path(expr, stop);
      return (node, run) => (test(node, run) ? run.found : null);
    }
    const all = this.collect(expr, true);
    return (node, run) => all(node, run)[0] ?? null;
  }

  #path(expr: PathExpr, terminal: Test): { test: Test; flow: Flow } {
    const flows = flowsOf(expr);
    let next = terminal;
    const sets: number[] = [];
    for (let i = expr.steps.length - 1; i >= 0; i -= 1) {
      const step = expr.steps[i] as Step;
      const flow = flows[i] as Flow;
      next = this.#step(step, next);
      if (coversSubtrees(step) && flow.nested && flow.ordered) next = outermost(this.#set(sets), next);
      else if (!flow.distinct) next = once(this.#set(sets), next);
    }
    const { start } = expr;
    let test: Test;
    if (start === 'context') test = next;
    else if (start === 'root') test = fromRoot(next);
    else test = this.#fromNodes(this.#filtered(start, expr.predicates), next);
    return { test: sets.length === 0 ? test : withSets(sets, test), flow: flows.at(-1) as Flow };
  }

  #set(sets: number[]): number {
    const set = this.#sets;
    this.#sets += 1;
    sets.push(set);
    return set;
  }

  #fromNodes(collect: Collect, next: Test): Test {
    return (node, run) => {
      for (const start of collect(node, run)) if (next(start, run)) return true;
      return false;
    };
  }

  /** §3.3: the nodes of an expression that pass predicates, which count in document order. */
  #filtered(start: NodeSetExpr, predicates: readonly Expr[]): Collect {
    const positional = predicates.some(isPositionalPredicate);
    const collect = this.collect(start, positional);
    if (predicates.length === 0) return collect;
    const select = this.#select(predicates);
    return (node, run) => select(collect(node, run), run);
  }

  #step(step: Step, next: Test): Test {
    const positional = step.predicates.findIndex(isPositionalPredicate);
    const plain = positional < 0 ? step.predicates : step.predicates.slice(0, positional);
    const rest = positional < 0 ? [] : step.predicates.slice(positional);
    const walk = (accept: Test): Test => {
      const tests = plain.map((predicate) => this.#compiler.boolean(predicate));
      const passed = tests.reduceRight<Test>((then, test) => (node, run) => test(node, run) && then(node, run), accept);
      return AXES[step.axis](this.#nodeTest(step, charging(visitsOf(plain), passed)));
    };
    if (rest.length === 0) return walk(next);

    const [only] = rest;
    if (rest.length === 1 && only?.kind === 'constant' && typeof only.value === 'number') {
      const wanted = only.value;
      if (!Number.isSafeInteger(wanted) || wanted < 1) return never;
      return nth(wanted, walk(countDown), next);
    }
    const candidates = walk(put);
    const select = this.#select(rest);
    return (node, run) => {
      const outer = run.out;
      run.out = null;
      candidates(node, run);
      const nodes = run.out as XNode[] | null;
      run.out = outer;
      if (nodes === null) return false;
      for (const each of select(nodes, run)) if (next(each, run)) return true;
      return false;
    };
  }

  /** §2.4: applies predicates one after the other, each with positions among what the one before left. */
  #select(predicates: readonly Expr[]): (nodes: readonly XNode[], run: Run) => readonly XNode[] {
    const tests = predicates.map((predicate) => ({
      test: this.#positionTest(predicate),
      visits: 1 + visitsOf([predicate]),
    }));
    return (nodes, run) => {
      const { position, size } = run;
      let left = nodes;
      for (const { test, visits } of tests) {
        const passed: XNode[] = [];
        let at = 0;
        for (const node of left) {
          at += 1;
          run.charge(visits);
          run.position = at;
          run.size = left.length;
          if (test(node, run)) passed.push(node);
        }
        left = passed;
      }
      run.position = position;
      run.size = size;
      return left;
    };
  }

  /** §2.4: a predicate that is a number asks for that position. */
  #positionTest(predicate: Expr): Test {
    if (typeOf(predicate) !== 'number') return this.#compiler.boolean(predicate);
    const number = this.#compiler.number(predicate);
    return (node, run) => number(node, run) === run.position;
  }

  /** §2.3: lets through what the node test of the step lets through. */
  #nodeTest({ axis, test }: Step, next: Test): Test {
    switch (test.kind) {
      case 'node':
        return next;
      case 'text':
        return (node, run) => node instanceof Text && next(node, run);
      case 'nothing':
        return never;
      case 'name': {
        if (axis === 'namespace') return namespaceTest(test, next);
        const matches = this.nameTest(test);
        if (axis === 'attribute') return (node, run) => matches((node as Attr).qname) && next(node, run);
        return (node, run) => node instanceof Element && matches(node.qname) && next(node, run);
      }
    }
  }

  /** Whether a name is the one asked for. */
  nameTest({ localName, namespaceURI }: NameTest): (name: QName) => boolean {
    if (namespaceURI === undefined) return localName === null ? () => true : (name) => name.localName === localName;
    if (namespaceURI !== null) {
      return localName === null
        ? (name) => name.namespaceURI === namespaceURI
        : (name) => name.localName === localName && name.namespaceURI === namespaceURI;
    }
    const content = this.#contentNamespaces;
    return (name) =>
      name.localName === localName && (name.namespaceURI === null || content.includes(name.namespaceURI));
  }
}

/** §2.3: a namespace node's expanded name is its prefix in no namespace; the default namespace has an empty one. */
function namespaceTest({ localName, namespaceURI }: NameTest, next: Test): Test {
  if (typeof namespaceURI === 'string') return never;
  return (node, run) => (localName === null || (node as NamespaceNode).localName === localName) && next(node, run);
}

const put: Test = (node, run) => {
  (run.out ??= []).push(node);
  return false;
};

const stop: Test = (node, run) => {
  run.found = node;
  return true;
};

const countDown: Test = (node, run) => {
  run.countdown -= 1;
  if (run.countdown > 0) return false;
  run.found = node;
  return true;
};

function nth(wanted: number, walk: Test, next: Test): Test {
  return (node, run) => {
    const outer = run.countdown;
    run.countdown = wanted;
    const reached = walk(node, run);
    run.countdown = outer;
    return reached && next(run.found as XNode, run);
  };
}

/** How many operations of an expression cost as much as visiting one node. */
const OPERATIONS_PER_VISIT = 3;

/** What evaluating predicates costs beside the nodes that they visit. */
function visitsOf(predicates: readonly Expr[]): number {
  return Math.floor(predicates.reduce((sum, predicate) => sum + operations(predicate), 0) / OPERATIONS_PER_VISIT);
}

/** Takes that many visits from the budget each time. */
function charging(visits: number, test: Test): Test {
  if (visits === 0) return test;
  return (node, run) => {
    run.charge(visits);
    return test(node, run);
  };
}

function fromRoot(next: Test): Test {
  return (_node, run) => next(ROOT, run);
}

function withSets(sets: readonly number[], test: Test): Test {
  return (node, run) => {
    for (const set of sets) run.forget(set);
    return test(node, run);
  };
}

/** Hands on each node only once. */
function once(set: number, next: Test): Test {
  return (node, run) => {
    const seen = (run.seen[set] ??= new Set());
    run.charge(SET_VISITS);
    if (seen.has(node)) return false;
    seen.add(node);
    return next(node, run);
  };
}

/**
 * Hands on only nodes that are not below one handed on before: `next` walks their whole subtree, so the others would
 * give nothing new. Needs the nodes in document order: then only the last one can be above, and to find it there is
 * no need to climb further than to the node met before.
 */
function outermost(cover: number, next: Test): Test {
  return (node, run) => {
    const last = run.covers[cover] ?? null;
    if (last !== null) {
      const before = run.met[cover];
      run.met[cover] = node;
      for (let at: XNode | null = node; at !== null; at = parentOf(at, run.root)) {
        run.charge(1);
        if (at === last || at === before) return false;
      }
    }
    run.met[cover] = run.covers[cover] = node;
    return next(node, run);
  };
}

/** Whether a step from a node finds all that it finds from the nodes below it. */
function coversSubtrees({ axis, predicates }: Step): boolean {
  return (axis === 'descendant' || axis === 'descendant-or-self') && !predicates.some(isPositionalPredicate);
}

/** What is known about the nodes a path begins with, and about those behind each of its steps. */
function flowsOf({ start, predicates, steps }: PathExpr): Flow[] {
  const from =
    typeof start === 'string'
      ? ONE
      : { single: false, distinct: true, ordered: predicates.some(isPositionalPredicate), nested: true };
  const flows = [from];
  for (const step of steps) flows.push(after(step, { ...(flows.at(-1) as Flow), distinct: true }));
  return flows;
}

/** What is known about the nodes behind a step. */
function after(step: Step, before: Flow): Flow {
  const { axis, predicates } = step;
  const { single, distinct, ordered, nested } = before;
  const last = predicates.at(-1);
  const picksOne = single && last?.kind === 'constant' && typeof last.value === 'number';
  if (picksOne) return ONE;
  switch (axis) {
    case 'self':
      return before;
    case 'parent':
      return single ? ONE : ANY;
    case 'child':
      return { single: false, distinct, ordered: ordered && !nested, nested };
    case 'attribute':
    case 'namespace':
      return { single: false, distinct, ordered, nested: false };
    case 'descendant':
    case 'descendant-or-self': {
      const clean = single || (ordered && (!nested || coversSubtrees(step)));
      return { single: false, distinct: clean, ordered: clean, nested: true };
    }
    case 'following':
      return { single: false, distinct: single, ordered: single, nested: true };
    case 'following-sibling':
      return { single: false, distinct: single, ordered: single, nested: !single };
    case 'ancestor':
    case 'ancestor-or-self':
    case 'preceding':
      return { single: false, distinct: single, ordered: false, nested: true };
    case 'preceding-sibling':
      return { single: false, distinct: single, ordered: false, nested: !single };
  }
}
