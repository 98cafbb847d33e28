// Why an expression does not match a stanza: the first part of it that does not hold, and what is there instead.
import { Attr } from '../../xml/attr.js';
import { Element, following } from '../../xml/element.js';
import { Text } from '../../xml/text.js';
import { printable } from '../../errors.js';
import { Compiler } from '../xpath/compile.js';
import {
  isNodeSet,
  isPositionalPredicate,
  typeOf,
  type CallExpr,
  type CompareExpr,
  type Expr,
  type NodeSetExpr,
  type PathExpr,
  type Step,
} from '../xpath/expression.js';
import { isDeclaration, ROOT, type XNode } from '../xpath/node.js';
import { Run } from '../xpath/run.js';
import { quoted, written, writtenName, writtenStep } from './written.js';

/** Most values or names that are listed. */
const LISTED = 4;

/** Looks for the part of an expression that does not hold for one stanza. */
export class WhyNot {
  readonly #contentNamespaces: readonly string[];
  readonly #visits: number;
  readonly #root: Element;
  readonly #run: Run;

  /** @param visits - what finding out about one part may cost. Each method throws BudgetExceeded beyond that */
  constructor(root: Element, contentNamespaces: readonly string[], visits: number) {
    this.#root = root;
    this.#contentNamespaces = contentNamespaces;
    this.#visits = visits;
    this.#run = new Run(contentNamespaces);
  }

  /** In words, why an expression that is false is that. */
  of(expr: Expr, node: XNode = this.#root): string {
    switch (expr.kind) {
      case 'and':
        return this.of(expr.operands.find((operand) => !this.#boolean(operand, node)) ?? expr, node);
      case 'or':
      case 'union':
        return expr.operands.map((operand) => this.of(operand, node)).join('; and ');
      case 'path':
        return this.#nothing(expr, node);
      case 'empty':
        return 'id() finds nothing: stanzas have no identifiers';
      case 'compare':
        return this.#unequal(expr, node);
      case 'call':
        return this.#false(expr, node);
      default:
        return `${written(expr)} is ${this.#value(expr, node)}`;
    }
  }

  /** The first step, or the first predicate of it, with which nothing is left. */
  #nothing({ start, predicates, steps }: PathExpr, node: XNode): string {
    let found: readonly XNode[] = [start === 'root' ? ROOT : node];
    if (typeof start !== 'string') {
      found = this.#collect(start, node);
      if (found.length === 0) return this.of(start, node);
      if (predicates.length > 0) {
        found = this.#collect({ kind: 'path', start, predicates, steps: [] }, node);
        if (found.length === 0) return `nothing that ${written(start)} finds fulfils its predicates`;
      }
    }
    for (const [i, step] of steps.entries()) {
      const before = found;
      const upTo = (last: Step): readonly XNode[] =>
        this.#collect({ kind: 'path', start, predicates, steps: [...steps.slice(0, i), last] }, node);
      found = upTo({ ...step, predicates: [] });
      if (found.length === 0) return this.#missing(step, before[0] as XNode);
      for (const [j, predicate] of step.predicates.entries()) {
        const candidates = found;
        found = upTo({ ...step, predicates: step.predicates.slice(0, j + 1) });
        if (found.length > 0) continue;
        if (isPositionalPredicate(predicate)) {
          const some = writtenStep({ ...step, predicates: step.predicates.slice(0, j) });
          return `there is no ${some}[${written(predicate)}]: there ${are(candidates.length)} ${some}`;
        }
        const more = candidates.length > 1 ? `, and alike for ${String(candidates.length - 1)} more` : '';
        return this.of(predicate, candidates[0]) + more;
      }
    }
    return `${written({ kind: 'path', start, predicates, steps })} finds nothing`;
  }

  /** What is there where a step finds nothing. */
  #missing(step: Step, node: XNode): string {
    const { axis, test } = step;
    const name = test.kind === 'name' ? writtenName(test.localName, test.namespaceURI) : writtenStep(step);
    if (axis === 'child' && node === ROOT) return `the stanza is ${this.#shown(this.#root)}, not ${name}`;
    const place = this.#shown(node);
    if (node === ROOT && axis === 'descendant') return this.#nowhere(name, step, this.#root);
    if (!(node instanceof Element)) return `${writtenStep(step)} finds nothing from ${place}`;
    if (axis === 'attribute') return `${place} has no attribute ${name}; it has ${listed(attributesOf(node))}`;
    if (axis === 'self') return `${place} is not ${name}`;
    if (test.kind === 'text') return `${place} has no text`;
    if (axis === 'child') return `${place} has no child ${name}; it has ${listed(this.#children(node))}`;
    return axis === 'descendant' ? this.#nowhere(name, step, node) : `${writtenStep(step)} finds nothing from ${place}`;
  }

  #nowhere(name: string, { test }: Step, element: Element): string {
    const others = test.kind === 'name' ? this.#namesakes(element, test.localName) : [];
    return `there is no ${name} in ${this.#shown(element)}${others.length === 0 ? '' : `; there is ${listed(others)}`}`;
  }

  #unequal(expr: CompareExpr, node: XNode): string {
    for (const side of [expr.left, expr.right]) {
      if (isNodeSet(side) && this.#collect(side, node).length === 0) return this.of(side, node);
    }
    const { left, right, operator } = expr;
    const [shown, wanted] = left.kind === 'constant' ? [right, left] : [left, right];
    const value = this.#value(shown, node);
    const where = isNodeSet(shown) && isOfContext(shown) ? ` of ${this.#shown(node)}` : '';
    if (wanted.kind !== 'constant')
      return `${written(shown)}${where} is ${value}, and ${written(wanted)} is ${this.#value(wanted, node)}`;
    const not = operator === '=' ? `not ${written(wanted)}` : `and ${written(expr)} is asked for`;
    return `${written(shown)}${where} is ${value}, ${not}`;
  }

  #false(call: CallExpr, node: XNode): string {
    const [first, second] = call.args;
    if (call.name === 'boolean' && first !== undefined) return this.of(first, node);
    if (call.name === 'not' && first !== undefined) return `${written(first)} holds, and not() of it is asked for`;
    if ((call.name === 'contains' || call.name === 'starts-with') && first !== undefined && second !== undefined) {
      if (isNodeSet(first) && this.#collect(first, node).length === 0) return this.of(first, node);
      const what = call.name === 'contains' ? 'contains no' : 'does not begin with';
      return `${written(first)} is ${this.#value(first, node)}: it ${what} ${this.#value(second, node)}`;
    }
    return `${written(call)} is ${this.#value(call, node)}`;
  }

  /** What an expression gives, shown. */
  #value(expr: Expr, node: XNode): string {
    if (isNodeSet(expr)) return listed(this.#collect(expr, node).map((each) => shownText(this.#run.stringValue(each))));
    const type = typeOf(expr);
    const compiler = new Compiler(this.#contentNamespaces);
    this.#begin();
    if (type === 'boolean') return String(compiler.boolean(expr)(node, this.#run));
    if (type === 'number') return String(compiler.number(expr)(node, this.#run));
    return shownText(compiler.string(expr)(node, this.#run));
  }

  #boolean(expr: Expr, node: XNode): boolean {
    const test = new Compiler(this.#contentNamespaces).boolean(expr);
    this.#begin();
    return test(node, this.#run);
  }

  #collect(expr: NodeSetExpr, node: XNode): readonly XNode[] {
    const collect = new Compiler(this.#contentNamespaces).paths.collect(expr, true);
    this.#begin();
    return collect(node, this.#run);
  }

  #begin(): void {
    this.#run.begin(this.#root, this.#visits);
  }

  #children(element: Element): string[] {
    return element.children.map((child) => this.#shown(child));
  }

  /** Elements below of that local name, in whatever namespace. */
  #namesakes(element: Element, localName: string | null): string[] {
    const found = new Set<string>();
    for (let node: Element | Text | null = element; node !== null; node = following(node, element)) {
      if (node instanceof Element && node !== element && node.localName === localName) found.add(this.#shown(node));
    }
    return [...found];
  }

  /** A node as one sees it: with its namespace if an expression needs a prefix for it. */
  #shown(node: XNode): string {
    if (node instanceof Attr) return `@${node.nodeName}`;
    if (node instanceof Text) return 'a text';
    if (!(node instanceof Element)) return node === ROOT ? 'the document' : 'a namespace';
    const { localName, namespaceURI } = node;
    const plain = namespaceURI === null || namespaceURI === '' || this.#contentNamespaces.includes(namespaceURI);
    return printable(plain ? `<${localName}/>` : `<${localName} xmlns='${namespaceURI}'/>`, 200);
  }
}

const are = (count: number): string => (count === 1 ? 'is 1' : `are ${String(count)}`);

function shownText(text: string): string {
  return quoted(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function listed(all: readonly string[]): string {
  if (all.length === 0) return 'none';
  const more = all.length > LISTED ? ` and ${String(all.length - LISTED)} more` : '';
  return all.slice(0, LISTED).join(', ') + more;
}

function attributesOf(element: Element): string[] {
  const names: string[] = [];
  for (let attr = element.firstAttribute; attr !== null; attr = attr.nextAttribute) {
    if (!isDeclaration(attr)) names.push(printable(attr.nodeName, 80));
  }
  return names;
}

/** Whether it begins at the context node, so that it does not say itself where it looks. */
function isOfContext(expr: NodeSetExpr): boolean {
  return expr.kind === 'path' && expr.start === 'context';
}
