// What an expression must not find, and what it must stop at: each row fails without one check of the evaluation.
import { describe, expect, test } from 'vitest';
import { Compiler } from '../../../../src/filters/xpath/compile.js';
import { isNodeSet, typeOf } from '../../../../src/filters/xpath/expression.js';
import { BudgetExceeded, Run } from '../../../../src/filters/xpath/run.js';
import { parseExpression } from '../../../../src/filters/xpath/syntax.js';
import { bindings, translate } from '../../../../src/filters/xpath/translate.js';
import { CONTENT_NAMESPACES } from '../../../../src/xml/namespaces.js';
import { tree } from '../tree.js';

const STANZA = `<message xmlns='jabber:client' from='a@b'><a n='1'><b n='2'>x</b><a n='3'><b n='4'>y</b></a></a><b n='5'>z</b></message>`;

/** What an expression gives; for a node-set the names of its nodes, with their attribute `n`. */
function value(source: string, stanza = STANZA, budget = 1e6): unknown {
  const expr = translate(parseExpression(source), bindings({}));
  const compiler = new Compiler(CONTENT_NAMESPACES);
  const run = new Run(CONTENT_NAMESPACES);
  const root = tree(stanza);
  run.begin(root, budget);
  if (isNodeSet(expr)) {
    const collect = compiler.paths.collect(expr, true);
    return collect(root, run).map((node) => `${run.exposed(node).nodeName} ${run.stringValue(node)}`);
  }
  const type = typeOf(expr);
  if (type === 'boolean') return compiler.boolean(expr)(root, run);
  return type === 'number' ? compiler.number(expr)(root, run) : compiler.string(expr)(root, run);
}

describe('an expression gives', () => {
  test.each<[string, unknown]>([
    // A root that is something else is not found.
    ['boolean(/other)', false],
    ['boolean(/message)', true],
    ['boolean(/other/..)', false],
    // What is above is something else, or there is nothing above.
    ['boolean(a/parent::other)', false],
    ['boolean(a/parent::message)', true],
    ['boolean(/..)', false],
    ['//b/parent::message', ['message xyz']],
    // Only elements have attributes.
    ['boolean(//b/text()[@n = "2"])', false],
    ['boolean(//@*[@n = "2"])', false],
    ['boolean(/self::node()[@from = "a@b"])', false],
    ['boolean(/*[@from = "a@b"])', true],
    // Without nodes on one side, no pair of them compares in any way.
    ['//other != //b', false],
    ['//other = //b', false],
    ['//b != //other', false],
    ['//b[. = "x"] != //b', true],
    ['//b[. = "x"] != //b[. = "x"]', false],
    // Zero is false.
    ['boolean(1 - 1)', false],
    ['boolean(-0)', false],
    ['boolean(0 div 0)', false],
    ['boolean(2 - 1)', true],
    ['boolean(count(//other))', false],
    // Zero has no sign, and no exponent.
    ['string(0)', '0'],
    ['string(-0)', '0'],
    ['string(0 div -1)', '0'],
    // A subtree is searched once, but for a position counted from each of its nodes.
    ['//a//b', ['b x', 'b y']],
    ['//a/descendant::b[1]', ['b x', 'b y']],
    ['//a/descendant::b[2]', ['b y']],
    ['//a/child::b', ['b x', 'b y']],
    ['//node()/descendant::b[2]', ['b y']],
    ['//a/parent::a/b', ['b x']],
    ['//a/self::a', ['a xy', 'a y']],
    ['.//self::b', ['b x', 'b y', 'b z']],
  ])('%s', (expression, expected) => {
    expect(value(expression)).toEqual(expected);
  });
});

test.each<[string, string[]]>([
  ['//b', ['descendant']],
  ['//a//b', ['descendant', 'descendant']],
  ['.//self::b', ['descendant-or-self']],
  ['//descendant::b', ['descendant']],
  ['//descendant-or-self::b', ['descendant-or-self']],
  ['//b[1]', ['descendant-or-self', 'child']],
  ['//parent::b', ['descendant-or-self', 'parent']],
])('%s walks the tree no more often than it has to: %j', (expression, axes) => {
  const expr = translate(parseExpression(expression), bindings({}));
  expect(expr.kind === 'path' ? expr.steps.map(({ axis }) => axis) : expr.kind).toEqual(axes);
});

test.each([
  ['string-length(/)', 'text that is read'],
  ['number(/message/text())', 'text of a single node'],
  ['contains(/, "b")', 'text that is searched'],
])('%s: a long text costs more than the budget: %s', (expression) => {
  const stanza = `<message xmlns='jabber:client'>${'x'.repeat(6_400)}</message>`;
  expect(() => value(expression, stanza, 100)).toThrow(BudgetExceeded);
  expect(() => value(expression, stanza, 1_000)).not.toThrow();
});
